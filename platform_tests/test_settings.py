"""Settings: typed, from environment and `.env`, and silent about secrets."""

from pathlib import Path

import pytest

from data_platform import settings

SECRET = "hunter2-secret"


def test_nothing_set_means_the_embedded_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_DIR")
    loaded = settings.load()
    assert loaded.warehouse_url is None
    assert loaded.local_dir == settings.project_root() / ".local"
    assert loaded.lake == (settings.project_root() / ".local" / "lake").as_uri()
    assert loaded.landing == f"{loaded.lake}/landing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAREHOUSE_URL", f"mysql://user:{SECRET}@host/db"),
        ("WAREHOUSE_URL", f"postgresql://user:{SECRET}@host"),
        ("LAKE_URI", f"ftp://{SECRET}"),
        ("LAKE_URI", "file://relative"),
        ("LANDING_URI", f"{SECRET}"),
        ("AWS_ENDPOINT_URL", f"{SECRET}:9000"),
        ("BUSINESS_TIMEZONE", f"Mars/{SECRET}"),
        ("BUSINESS_TIMEZONE", "../../etc/passwd"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable_and_not_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(settings.SettingsError) as caught:
        settings.load()
    message = str(caught.value)
    assert name in message
    assert "expected" in message
    assert SECRET not in message
    assert "\n" not in message
    assert caught.value.__cause__ is None


def test_a_password_is_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", f"postgresql://user:{SECRET}@host/db")
    loaded = settings.load()
    assert SECRET not in f"{loaded} {loaded!r} {loaded.model_dump()} {loaded.model_dump_json()}"
    assert loaded.warehouse_url is not None
    assert SECRET in loaded.warehouse_url.get_secret_value()


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BUSINESS_TIMEZONE=America/New_York\nLAKE_URI=s3://bucket/lake/\n")
    monkeypatch.setattr(settings, "project_root", lambda: tmp_path)
    assert settings.load().business_timezone == "America/New_York"
    assert settings.load().lake == "s3://bucket/lake"
    monkeypatch.setenv("BUSINESS_TIMEZONE", "UTC")
    assert settings.load().business_timezone == "UTC"


def test_the_example_names_every_setting_with_its_meaning() -> None:
    example = settings.example()
    for name, field in settings.Settings.model_fields.items():
        assert f"# {name.upper()}=" in example
        assert field.description
        assert field.description in example
