from zoneinfo import ZoneInfo

from email_validator import validate_email

from crm_suite.demo.chance import Chance
from crm_suite.demo.people import COUNTRIES, DEAD_DOMAIN, MAIL_DOMAINS, make_person

PEOPLE = [make_person(number, Chance(1)) for number in range(1, 3_001)]


def test_the_same_seed_makes_the_same_people() -> None:
    assert [make_person(number, Chance(1)) for number in range(1, 3_001)] == PEOPLE
    assert make_person(1, Chance(2)) != PEOPLE[0] or make_person(2, Chance(2)) != PEOPLE[1]


def test_nobody_shares_an_address() -> None:
    assert len({person.email for person in PEOPLE}) == len(PEOPLE)


def test_addresses_are_well_formed_and_belong_to_nobody() -> None:
    for person in PEOPLE:
        assert person.email.isascii()
        assert person.email.partition("@")[2] in (*MAIL_DOMAINS, DEAD_DOMAIN)
        validate_email(person.email, check_deliverability=False, test_environment=True, globally_deliverable=False)


def test_two_in_a_hundred_addresses_are_dead() -> None:
    dead = sum(person.email.endswith(DEAD_DOMAIN) for person in PEOPLE)
    assert 0.01 < dead / len(PEOPLE) < 0.03


def test_time_zones_exist() -> None:
    for country in COUNTRIES:
        for _, _, zone in country.cities:
            ZoneInfo(zone)


def test_people_of_every_country_take_part() -> None:
    assert {person.country for person in PEOPLE} == {"US", "GB", "DE", "FR"}
