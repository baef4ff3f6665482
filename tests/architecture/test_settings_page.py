import pytest
from api.settings import ApiSettings
from console.settings import ConsoleSettings
from shared.platform.settings import Settings
from shared.platform.settings_help import variables
from worker.settings import WorkerSettings

from tests.architecture.settings_page import PAGE, page


def test_the_page_of_settings_is_what_the_code_reads() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.architecture.settings_page"


def test_every_setting_says_what_it_means() -> None:
    for settings in (WorkerSettings, ApiSettings, ConsoleSettings):
        assert [v.name for v in variables(settings) if not v.meaning] == []


@pytest.mark.parametrize(
    ("settings", "name", "default"),
    [
        (WorkerSettings, "DATABASE_URL", "required"),
        (WorkerSettings, "EASYPOST_SENDERS", "unset"),
        (WorkerSettings, "ORDER_LINK_ACTIONS", "read address pay cancel return"),
        (WorkerSettings, "ORDER_LINK_LIVES", "60 days"),
        (ApiSettings, "SHIPPING_TARIFFS", "unset"),
        (ApiSettings, "API_FAIL_FAST_AFTER", "1.25 s"),
        (ConsoleSettings, "CONSOLE_SESSION_LIVES", "12 hours"),
        (ConsoleSettings, "CONSOLE_PEOPLE", "dev=admin"),
    ],
)
def test_a_default_is_written_as_people_would(
    settings: type[Settings], name: str, default: str
) -> None:
    (found,) = (v.default for v in variables(settings) if v.name == name)
    assert found == default
