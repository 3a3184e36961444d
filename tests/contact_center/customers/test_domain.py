import pytest

from crm_contact_center.customers.domain import fold


class TestFold:
    @pytest.mark.parametrize("text", ["+385 1 234-5678", "00385 (1) 2345678", "3851/234.5678"])
    def test_writings_of_one_number_are_equal(self, text: str) -> None:
        assert fold("voice", text) == "38512345678"

    def test_a_phone_and_a_call_are_one_kind_of_address(self) -> None:
        assert fold("phone", "+385912345678") == fold("voice", "+385 91 2345678")

    def test_case_does_not_matter_in_an_email_address(self) -> None:
        assert fold("email", " Iva@Example.org ") == "iva@example.org"

    @pytest.mark.parametrize(("channel", "text"), [("voice", "112"), ("voice", "anonymous"), ("chat", "visitor 7")])
    def test_what_is_no_address_folds_to_nothing(self, channel: str, text: str) -> None:
        assert fold(channel, text) == ""
