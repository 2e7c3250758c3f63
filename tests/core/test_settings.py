import ipaddress
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from backend.core.settings import (
    ROOT,
    Settings,
    SettingsError,
    is_reachable,
    load_settings,
    secret_values,
    vendor_environ,
)
from backend.core.settings_shown import describe


@pytest.fixture
def no_file(tmp_path: Path) -> Path:
    return tmp_path / "absent.env"


def write_env(folder: Path, text: str) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_set_gives_the_documented_defaults(no_file: Path) -> None:
    settings = load_settings({}, no_file)

    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8888, ROOT / "data")
    assert (settings.mongodb_url, settings.mongodb_database, settings.redis_url) == (None, "mediacrawer_pro", None)
    assert (settings.stores, settings.execution_engine, settings.execution_mode) == ("auto", "loop", "auto")
    assert (settings.max_running_tasks, settings.max_running_crawls, settings.max_attempts) == (200, 20, 3)
    assert (settings.lease_s, settings.shutdown_grace_s) == (30, 10)
    assert (settings.crawl_deadline_s, settings.generate_deadline_s) == (86_400, 3_600)
    assert (settings.log_level, settings.log_file, settings.language) == ("INFO", None, "both")
    assert (settings.auth_token, settings.allowed_hosts, settings.allowed_origins) == (None, (), ())


def test_root_is_the_folder_of_pyproject() -> None:
    assert (ROOT / "pyproject.toml").is_file()


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    env_file = write_env(tmp_path, "PORT=1000\nLEASE_S=60\n")

    settings = load_settings({"PORT": "2000"}, env_file)

    assert (settings.port, settings.lease_s) == (2000, 60)


def test_empty_value_counts_as_not_set(tmp_path: Path) -> None:
    env_file = write_env(tmp_path, "PORT=1000\nAUTH_TOKEN=\nMONGODB_URL= \n")

    settings = load_settings({"PORT": ""}, env_file)

    assert (settings.port, settings.auth_token, settings.mongodb_url) == (1000, None, None)


def test_file_saved_by_notepad_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes("\ufeffPORT=1000\r\nLANGUAGE=zh\r\n".encode())

    settings = load_settings({}, env_file)

    assert (settings.port, settings.language) == (1000, "zh")


def test_file_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes("DATA_DIR=数据".encode("gbk"))

    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings({}, env_file)


def test_dollar_brace_in_a_password_is_left_alone(tmp_path: Path) -> None:
    env_file = write_env(tmp_path, "AUTH_TOKEN=ab${HOME}cdefgh\n")

    settings = load_settings({}, env_file)

    assert settings.auth_token == SecretStr("ab${HOME}cdefgh")


@pytest.mark.parametrize(("given", "expected"), [("store", ROOT / "store"), ("a/../b", ROOT / "b")])
def test_relative_folders_hang_on_the_root(no_file: Path, given: str, expected: Path) -> None:
    settings = load_settings({"DATA_DIR": given, "LOG_FILE": given}, no_file)

    assert settings.data_dir == settings.log_file == expected


def test_absolute_folder_stays(no_file: Path, tmp_path: Path) -> None:
    assert load_settings({"DATA_DIR": str(tmp_path)}, no_file).data_dir == tmp_path


def test_comma_lists_are_split_and_trimmed(no_file: Path) -> None:
    settings = load_settings(
        {
            "ALLOWED_HOSTS": "a.example, b.example:8888,,[fd00::1]",
            "ALLOWED_ORIGINS": "https://a.example,http://localhost:5173",
            "ALLOW_PRIVATE_NETWORKS": "10.0.0.0/8, fd00::/8",
        },
        no_file,
    )

    assert settings.allowed_hosts == ("a.example", "b.example:8888", "[fd00::1]")
    assert settings.allowed_origins == ("https://a.example", "http://localhost:5173")
    assert settings.allow_private_networks == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("fd00::/8"),
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "70000", "0 to 65535"),
        ("PORT", "http", "0 to 65535"),
        ("MAX_RUNNING_TASKS", "0", "1 to 10000"),
        ("MAX_RUNNING_TASKS", "10001", "1 to 10000"),
        ("LEASE_S", "4.9", "5 to 3600"),
        ("LEASE_S", "nan", "5 to 3600"),
        ("SHUTDOWN_GRACE_S", "inf", "0 to 3600"),
        ("STORES", "disk", "auto, memory"),
        ("EXECUTION_MODE", "later", "auto, held, thread"),
        ("LOG_LEVEL", "LOUD", "TRACE"),
        ("MONGODB_URL", "http://x", "mongodb://"),
        ("REDIS_URL", "mongodb://x", "redis://"),
        ("MONGODB_DATABASE", "a b", "letters"),
        ("ALLOWED_HOSTS", "https://a", "host names"),
        ("ALLOWED_ORIGINS", "a.example", "https://name"),
        ("ALLOW_PRIVATE_NETWORKS", "10.0.0.1/8", "10.0.0.0/8"),
        ("ALLOW_PRIVATE_NETWORKS", "lan", "10.0.0.0/8"),
        ("AUTH_TOKEN", "short", "8 or more"),
        ("AUTH_TOKEN", "with spaces in it", "8 or more"),
    ],
)
def test_bad_value_names_the_variable_and_what_is_allowed(no_file: Path, name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value}, no_file)

    assert str(caught.value).startswith(name)
    assert allowed in str(caught.value)


def test_every_bad_variable_is_named_at_once(no_file: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"PORT": "x", "LEASE_S": "y"}, no_file)

    assert [line.partition("=")[0] for line in str(caught.value).splitlines()] == ["PORT", "LEASE_S"]


def test_message_says_when_the_file_is_to_blame(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"PORT='x' \(from \.env\)"):
        load_settings({}, write_env(tmp_path, "PORT=x"))


@pytest.mark.parametrize("name", ["AUTH_TOKEN", "MONGODB_URL", "REDIS_URL"])
def test_message_never_shows_a_secret(no_file: Path, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: "pass word"}, no_file)

    assert "pass word" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_taskiq_is_refused_with_the_reason(no_file: Path) -> None:
    with pytest.raises(SettingsError, match="taskiq is not in this version"):
        load_settings({"EXECUTION_ENGINE": "taskiq"}, no_file)


@pytest.mark.parametrize(
    "environ",
    [
        *({"HOST": host} for host in ("0.0.0.0", "::", "192.168.1.5", "server.example")),
        *({"PUBLIC_URL": "https://media.example"}, {"TRUSTED_PROXIES": "127.0.0.1"}),
    ],
)
def test_others_can_reach_a_server_that_is_bound_or_named_so(no_file: Path, environ: dict[str, str]) -> None:
    assert is_reachable(load_settings(environ, no_file))


@pytest.mark.parametrize(
    "environ",
    [
        *({"HOST": host} for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost")),
        {"PUBLIC_URL": "http://localhost:8888/"},
    ],
)
def test_nobody_else_can_reach_a_server_on_loopback(no_file: Path, environ: dict[str, str]) -> None:
    assert not is_reachable(load_settings(environ, no_file))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("PUBLIC_URL", url) for url in ("media.example", "ftp://media.example", "https://media.example/path")),
        *(("TRUSTED_PROXIES", "10.0.0.1/8"), ("TRUSTED_PROXIES", "caddy"), ("TASK_VISIBILITY", "some")),
    ],
)
def test_what_is_said_of_the_outside_is_checked(no_file: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value}, no_file)


def test_memory_stores_beside_a_url_are_refused(no_file: Path) -> None:
    with pytest.raises(SettingsError, match="STORES=memory contradicts"):
        load_settings({"STORES": "memory", "MONGODB_URL": "mongodb://h/"}, no_file)


@pytest.mark.parametrize("value", ["en_US:en", "zh_CN.UTF-8", "de"])
def test_the_language_of_the_desktop_is_not_ours(no_file: Path, value: str) -> None:
    assert load_settings({"LANGUAGE": value}, no_file).language == "both"


def test_unknown_variables_are_ignored(tmp_path: Path) -> None:
    env_file = write_env(tmp_path, "COGVIDEOX_API_KEY=abc\n")

    load_settings({"WHATEVER": "1"}, env_file)


def test_vendors_get_the_file_with_the_environment_over_it(tmp_path: Path) -> None:
    env_file = write_env(tmp_path, "COGVIDEOX_API_KEY=from-file\nXHS_LIMIT=1\n")

    environ = vendor_environ(load_settings({"XHS_LIMIT": "2"}, env_file))

    assert environ == {"COGVIDEOX_API_KEY": "from-file", "XHS_LIMIT": "2"}


def test_secrets_to_cut_are_tokens_passwords_in_urls_and_keys_by_name(tmp_path: Path) -> None:
    env_file = write_env(tmp_path, "COGVIDEOX_API_KEY=vendor-key-1\nXHS_LIMIT=12345678\nSHORT_KEY=1\n")

    settings = load_settings({"AUTH_TOKEN": "our-token-1", "MONGODB_URL": "mongodb://u:pass%40word@h/"}, env_file)

    assert secret_values(settings) == ["our-token-1", "pass%40word", "pass@word", "vendor-key-1"]


def test_settings_cannot_be_changed() -> None:
    settings = Settings()

    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_settings_built_with_arguments_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")

    assert Settings().port == 8888


def test_each_setting_has_a_meaning_in_one_line() -> None:
    for row in describe(Settings()):
        assert row.meaning.endswith(".")
        assert "\n" not in row.meaning


def test_numbers_of_seconds_and_tasks_have_a_unit() -> None:
    units = {row.name: row.unit for row in describe(Settings())}

    assert {name for name, unit in units.items() if unit == "s"} == {name for name in units if name.endswith("_S")}
    assert units["MAX_RUNNING_TASKS"] == "tasks"


def test_described_secrets_show_four_characters_at_most(no_file: Path) -> None:
    settings = load_settings(
        {"AUTH_TOKEN": "0123456789abcdef", "MONGODB_URL": "mongodb://u:hunter2@h/", "REDIS_URL": "redis://h"}, no_file
    )

    values = {row.name: row.value for row in describe(settings)}

    assert values["AUTH_TOKEN"] == "****cdef"
    assert (values["MONGODB_URL"], values["REDIS_URL"]) == ("mongodb://u:****@h/", "redis://h")


def test_described_source_tells_where_a_value_came_from(tmp_path: Path) -> None:
    settings = load_settings({"PORT": "1"}, write_env(tmp_path, "LEASE_S=9\n"))

    sources = {row.name: row.source for row in describe(settings)}

    assert (sources["PORT"], sources["LEASE_S"], sources["HOST"]) == ("environment", ".env", "default")


def test_example_file_lists_every_setting_with_its_default() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()

    commented = dict(
        line.removeprefix("# ").split("=", 1) for line in lines if "=" in line and not line.startswith("##")
    )
    expected = {row.name: row.default for row in describe(Settings())} | {"DATA_DIR": "data"}
    assert {name: commented.get(name) for name in expected} == expected
