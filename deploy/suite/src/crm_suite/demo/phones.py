"""Telephone numbers that ring nowhere: ranges that the numbering authorities keep for films and books."""

_US_AREAS = (202, 212, 303, 312, 415, 503, 512, 617, 713, 808)
_PER_AREA = 100


def fictional_phone(country: str, nth: int) -> str:
    """The `nth` number of a country in E.164 form.

    Raises:
        ValueError: the range has no more numbers.
    """
    match country:
        case "US" if nth < len(_US_AREAS) * _PER_AREA:  # 555-0100 to 555-0199 in every area
            return f"+1{_US_AREAS[nth // _PER_AREA]}555{100 + nth % _PER_AREA:04d}"
        case "GB" if nth < 1_000:  # Ofcom: 01632 960000 to 960999
            return f"+441632960{nth:03d}"
        case "DE" if nth < 1_000:  # Bundesnetzagentur: (0)30 23125 000 to 999
            return f"+493023125{nth:03d}"
        case "FR" if nth < 10_000:  # Arcep: 01 99 00 00 00 to 99 99
            return f"+33199{nth:06d}"
        case _:
            raise ValueError(f"no fictional number {nth} in {country}")
