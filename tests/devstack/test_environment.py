"""A shell is set up for other systems as well."""

from devstack.environment import without_foreign_settings


def test_what_others_are_told_is_not_told_us() -> None:
    shell = {"PGSSLMODE": "require", "STRIPE_API_KEY": "sk_live", "HOME": "/home/ada"}
    assert without_foreign_settings(shell) == without_foreign_settings(
        {"HOME": "/home/ada"}
    )


def test_a_proxy_is_asked_for_what_is_far_away_only() -> None:
    proxy = {"HTTP_PROXY": "http://proxy.example", "NO_PROXY": "intranet.example"}
    left = without_foreign_settings(proxy)
    assert left["HTTP_PROXY"] == "http://proxy.example"
    assert left["NO_PROXY"] == "intranet.example,127.0.0.1,localhost"
    assert left["no_proxy"] == "127.0.0.1,localhost"
