import pytest

from xttsproject.lib.env import Environment, SettingError


def test_a_misspelt_boolean_stops_the_start_instead_of_meaning_no(monkeypatch):
    monkeypatch.setenv("DEBUG", "ture")
    with pytest.raises(SettingError, match="DEBUG is 'ture', but true or false is expected"):
        Environment().boolean("DEBUG", False, "help")


@pytest.mark.parametrize(("raw", "value"), [("on", True), ("Yes", True), ("0", False), ("", False)])
def test_booleans_are_read_in_the_usual_spellings(monkeypatch, raw, value):
    monkeypatch.setenv("DEBUG", raw)
    assert Environment().boolean("DEBUG", not value, "help") is value


@pytest.mark.parametrize("raw", ["many", "0", "1.5"])
def test_a_number_that_is_none_or_too_small_is_refused(monkeypatch, raw):
    monkeypatch.setenv("CPU_WORKERS", raw)
    with pytest.raises(SettingError, match=f"CPU_WORKERS is '{raw}'.*a whole number"):
        Environment().integer("CPU_WORKERS", 2, "help", minimum=1)


def test_a_choice_outside_the_list_is_refused_with_the_list(monkeypatch):
    monkeypatch.setenv("SPEECH_PRECISION", "fp8")
    with pytest.raises(SettingError, match="one of fp32, bf16"):
        Environment().text("SPEECH_PRECISION", "fp32", "help", choices=("fp32", "bf16"))


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(monkeypatch, tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text("FROM_FILE=file\nFROM_BOTH=file\n")
    monkeypatch.setenv("FROM_BOTH", "process")
    # Declared so that monkeypatch takes away what reading the file puts into the process's environment.
    monkeypatch.delenv("FROM_FILE", raising=False)
    env = Environment(dotenv)
    assert env.text("FROM_FILE", "default", "help") == "file"
    assert env.text("FROM_BOTH", "default", "help") == "process"
    assert env.text("FROM_NEITHER", "default", "help") == "default"
    monkeypatch.delenv("FROM_FILE", raising=False)


def test_a_relative_path_counts_from_its_base(monkeypatch, tmp_path):
    monkeypatch.setenv("MODELS_DIR", "models")
    assert Environment().path("MODELS_DIR", "x", "help", base=tmp_path) == tmp_path / "models"


def test_a_mail_address_of_an_unknown_kind_is_refused(monkeypatch):
    monkeypatch.setenv("EMAIL_URL", "pigeon://roof")
    with pytest.raises(SettingError, match="EMAIL_URL is 'pigeon://roof'"):
        Environment().mail("EMAIL_URL", "consolemail://", "help")


def test_mail_settings_come_out_as_django_names_them(monkeypatch):
    monkeypatch.setenv("EMAIL_URL", "smtp+tls://me:secret@mail.example.org:587")
    settings = Environment().mail("EMAIL_URL", "consolemail://", "help")
    assert settings["EMAIL_HOST"] == "mail.example.org"
    assert settings["EMAIL_USE_TLS"] is True
    assert settings["EMAIL_HOST_PASSWORD"] == "secret"
