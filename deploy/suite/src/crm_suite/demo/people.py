"""People for the customers of the purchase log, who have only numbers there: made up, the same from the same seed."""

from dataclasses import dataclass

from crm_suite.demo.chance import Chance

DEAD_DOMAIN = "gone.example"
"""The mail sink refuses this one."""
DEAD_SHARE = 0.02
MAIL_DOMAINS = ("example.com", "example.net", "example.org")
"""RFC 2606: these belong to nobody, so a demo that is pointed at a real mail server by mistake reaches nobody."""


@dataclass(frozen=True, slots=True)
class Country:
    code: str
    language: str
    given: str
    """Names, a space between them."""
    family: str
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str, str], ...]
    """Name, postal code, time zone."""


@dataclass(frozen=True, slots=True)
class Person:
    number: int
    given_name: str
    family_name: str
    email: str
    language: str
    time_zone: str
    country: str
    street: str
    postal_code: str
    city: str

    @property
    def reference(self) -> str:
        return f"cdnow-{self.number:05d}"

    @property
    def display_name(self) -> str:
        return f"{self.given_name} {self.family_name}"


COUNTRIES = (
    Country(
        code="US",
        language="en",
        given="Amber Brian Carla Derek Elena Frank Grace Henry Iris Jason Karen Luther Megan Nolan Olive Perry Rosa",
        family="Abbott Barnes Coleman Dawson Ellis Foster Griffin Hayes Irving Jennings Keller Lawson Norris Osborn",
        streets=("Maple Street", "Oak Avenue", "Elm Drive", "Lakeview Road", "Cedar Lane"),
        cities=(
            ("Boston", "02108", "America/New_York"),
            ("Chicago", "60601", "America/Chicago"),
            ("Denver", "80202", "America/Denver"),
            ("Portland", "97201", "America/Los_Angeles"),
        ),
    ),
    Country(
        code="GB",
        language="en",
        given="Alfie Bethan Callum Daisy Ewan Freya Gareth Harriet Isla Jago Kirsty Lewis Moira Nigel Poppy Rhys",
        family="Ashworth Bowen Carver Drummond Evans Fairfax Gibbs Holloway Ingram Jarvis Kendall Lister Murray Naylor",
        streets=("High Street", "Church Road", "Mill Lane", "Victoria Terrace", "Station Road"),
        cities=(
            ("Bristol", "BS1 4DJ", "Europe/London"),
            ("Leeds", "LS1 5DL", "Europe/London"),
            ("Cardiff", "CF10 1EP", "Europe/London"),
            ("Glasgow", "G2 1DY", "Europe/London"),
        ),
    ),
    Country(
        code="DE",
        language="de",
        given="Annika Bernd Clara Dieter Elke Felix Greta Hannes Ines Jürgen Katja Lothar Maren Norbert Petra Sören",
        family="Albrecht Böhm Claußen Dietrich Engel Fuchs Graf Huber Iversen Jäger Köhler Lorenz Neumann Schäfer",
        streets=("Hauptstraße", "Gartenweg", "Lindenallee", "Bahnhofstraße", "Am Markt"),
        cities=(
            ("Hamburg", "20095", "Europe/Berlin"),
            ("Leipzig", "04109", "Europe/Berlin"),
            ("Köln", "50667", "Europe/Berlin"),
            ("München", "80331", "Europe/Berlin"),
        ),
    ),
    Country(
        code="FR",
        language="fr",
        given="Agnès Bastien Chloé Didier Élodie Fabrice Gaëlle Hugo Inès Julien Léa Maxime Noémie Pauline Rémi",
        family="Aubert Bonnet Chevalier Dupuis Étienne Faure Garnier Henry Jacquet Lambert Marchand Noël Perrin Renard",
        streets=("rue de la Paix", "avenue Foch", "rue Victor-Hugo", "place du Marché", "chemin des Vignes"),
        cities=(
            ("Lyon", "69002", "Europe/Paris"),
            ("Nantes", "44000", "Europe/Paris"),
            ("Lille", "59000", "Europe/Paris"),
            ("Toulouse", "31000", "Europe/Paris"),
        ),
    ),
)
_WEIGHTED = (COUNTRIES[0],) * 5 + (COUNTRIES[1],) * 2 + (COUNTRIES[2],) * 2 + (COUNTRIES[3],)
_TO_ASCII = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ë": "e", "É": "E", "ï": "i", "ñ": "n"},
)


def make_person(number: int, chance: Chance) -> Person:
    """The person behind a customer number: the same for the same seed."""
    country = chance.choose(_WEIGHTED, "country", number)
    given = chance.choose(country.given.split(), "given", number)
    family = chance.choose(country.family.split(), "family", number)
    city, postal_code, time_zone = chance.choose(country.cities, "city", number)
    # Two people may share a name; the number keeps their addresses apart.
    local = f"{given}.{family}.{number}".translate(_TO_ASCII).lower()
    dead = chance.happens(DEAD_SHARE, "dead address", number)
    return Person(
        number=number,
        given_name=given,
        family_name=family,
        email=f"{local}@{DEAD_DOMAIN if dead else chance.choose(MAIL_DOMAINS, 'domain', number)}",
        language=country.language,
        time_zone=time_zone,
        country=country.code,
        street=_street_line(country, chance, number),
        postal_code=postal_code,
        city=city,
    )


def _street_line(country: Country, chance: Chance, number: int) -> str:
    street, house = chance.choose(country.streets, "street", number), chance.number(1, 180, "house", number)
    return f"{street} {house}" if country.code == "DE" else f"{house} {street}"
