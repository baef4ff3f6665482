from api.settings import ApiSettings
from console.settings import ConsoleSettings
from shared.platform.settings_help import variables
from worker.settings import WorkerSettings

from tests.architecture.settings_page import PAGE, page


def test_the_page_of_settings_is_what_the_code_reads() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.architecture.settings_page"


def test_every_setting_says_what_it_means() -> None:
    for settings in (WorkerSettings, ApiSettings, ConsoleSettings):
        assert [v.name for v in variables(settings) if not v.meaning] == []
