"""What a release says of itself agrees, and only a tag that passed all checks is published."""

import re
import tomllib

import pytest

import biglearn
from examples import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "checks.yml"


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version_everywhere():
    assert f"\nversion: {biglearn.__version__}\n" in read("CITATION.cff")
    releases = re.findall(r"^## (.*)$", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert releases[0] == biglearn.__version__
    assert releases == sorted(releases, key=lambda name: [*map(int, name.split("."))], reverse=True)


def test_nobody_is_sent_to_an_index_that_does_not_have_it():
    pages = [read("README.md"), *(path.read_text() for path in (ROOT / "docs").rglob("*.md"))]
    commands = re.findall(r"^ *(?:\$ )?pip install.*$", "\n".join(pages), flags=re.MULTILINE)
    assert commands
    assert [line for line in commands if "biglearn" in line] == []


@pytest.fixture
def workflow():
    if not WORKFLOW.exists():
        pytest.skip("needs a clone")
    yaml = pytest.importorskip("yaml", reason="needs biglearn-em[docs]")
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


def test_only_a_tag_that_passed_all_checks_is_published(workflow):
    publish = workflow["jobs"]["publish"]
    assert publish["needs"] == "check"
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert any(step.get("run") == ".ci/run" for step in workflow["jobs"]["check"]["steps"])


def test_only_the_publisher_may_say_who_it_is_and_nobody_has_a_password(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    rights = {name: job.get("permissions") for name, job in workflow["jobs"].items()}
    assert rights == {"check": None, "publish": {"id-token": "write"}}
    assert "secrets" not in WORKFLOW.read_text(encoding="utf-8")


def test_the_pythons_checked_are_those_that_the_package_names(workflow):
    named = tomllib.loads(read("pyproject.toml"))["project"]["classifiers"]
    versions = [name.rpartition(" ")[2] for name in named if re.search(r":: 3\.\d+$", name)]
    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == versions


def test_the_checks_make_all_that_has_to_pass():
    targets = re.findall(r"^make (\w+)", read(".ci/run"), flags=re.MULTILINE)
    assert targets == ["lint", "package", "torch", "site", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", read("Makefile"), flags=re.MULTILINE), target
