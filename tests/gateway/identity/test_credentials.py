from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from crm_gateway.identity.domain.credentials import (
    Credential,
    CredentialKind,
    handle_of,
    new_credential,
    parse_credential,
)
from crm_shared.ids import new_id


@given(st.uuids(), st.sampled_from(CredentialKind))
def test_what_is_shown_is_read_back(credential_id: UUID, kind: CredentialKind):
    made = new_credential(kind, credential_id)
    assert parse_credential(made.text) == made
    assert made.matches(made.kept)


@given(st.data())
def test_one_wrong_character_is_noticed_without_a_look_up(data: st.DataObject):
    text = new_credential(CredentialKind.API_KEY, new_id()).text
    place = data.draw(st.integers(9, len(text) - 1))
    wrong = data.draw(st.characters(codec="ascii").filter(lambda c: c != text[place]))
    assert parse_credential(text[:place] + wrong + text[place + 1 :]) is None


@given(st.text())
def test_any_other_text_is_none(text: str):
    assert parse_credential(text) is None


def test_a_key_has_the_documented_form_and_keeps_no_secret():
    made = new_credential(CredentialKind.API_KEY, UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
    assert made.text.startswith(f"crm_live_{handle_of(made.id)}_")
    assert len(made.text) == 9 + 26 + 1 + 32 + 6
    assert len(made.kept) == 32
    assert made.secret.encode() not in made.kept


def test_a_session_is_no_api_key_though_id_and_secret_are_equal():
    made = new_credential(CredentialKind.API_KEY, new_id())
    turned = Credential(CredentialKind.SESSION, made.id, made.secret)
    assert turned.text != made.text
    assert parse_credential("crm_sess" + made.text[8:]) is None
