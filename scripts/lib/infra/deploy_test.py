"""Tests scripts/deploy with a stand-in for Terraform that records its calls. No account is accessed.

usage: deploy_test.py
"""

import os
import pty
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# The only commands that the script may need besides Terraform.
TOOLS = ["bash", "cat", "cut", "dirname", "grep", "mkdir", "rm", "sed"]

# Declares two packages.
MANIFEST = """[package.metadata.packages]
one = ["aws"]
two = ["aws", "mongodb"]

[lints]
"""

# Creates the requested plan, and fails where the test says so. Refuses to apply a plan that does not exist.
TERRAFORM = """#!/usr/bin/env bash
printf '%s\\n' "${PWD##*/}: $*" >>"$CALLS"
[ "$1" != "${FAILS:-}" ] || exit 1
case $1 in
    plan) while [ "$1" != -out ]; do shift; done && echo "of $(cat "$PACKAGES"/*.zip)" >"$2" ;;
    apply) [ -f "${!#}" ] ;;
esac
"""

PACKAGE = """#!/usr/bin/env bash
printf '%s\\n' "package $*" >>"$CALLS"
mkdir -p "$PACKAGES" && echo built >"$PACKAGES/stint-$2-arm64.zip"
"""


class Deploy(unittest.TestCase):
    """Copies the scripts beside an empty infra/, with a package."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.infra = self.root / "infra"
        self.infra.mkdir()
        self.packages = self.root / "target/package"
        self.packages.mkdir(parents=True)
        for fleet in ["one", "two"]:
            (self.packages / f"stint-{fleet}-arm64.zip").write_text("at hand\n")
        manifest = self.root / "workers/stint/Cargo.toml"
        manifest.parent.mkdir(parents=True)
        manifest.write_text(MANIFEST)
        self.calls = self.root / "calls"
        self.calls.touch()
        shutil.copytree(ROOT / "scripts/lib", self.root / "scripts/lib")
        shutil.copy(ROOT / "scripts/deploy", self.root / "scripts/deploy")
        for path, text in [("scripts/package", PACKAGE), ("bin/terraform", TERRAFORM)]:
            program = self.root / path
            program.parent.mkdir(exist_ok=True)
            program.write_text(text)
            program.chmod(0o755)
        for tool in TOOLS:
            (self.root / "bin" / tool).symlink_to(shutil.which(tool))
        self.environment = {
            "PATH": str(self.root / "bin"),
            "CALLS": str(self.calls),
            "PACKAGES": str(self.packages),
        }

    def deploy(self, *arguments: str, terminal: str | None = None, **environment: str) -> tuple[int, str]:
        """Returns the exit code and the output. `terminal` is the input of a user; without it there is no terminal."""
        command = [str(self.root / "scripts/deploy"), *arguments]
        environment = self.environment | environment
        if terminal is None:
            ran = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            return ran.returncode, ran.stdout + ran.stderr
        ours, theirs = pty.openpty()
        os.write(ours, f"{terminal}\n".encode())
        ran = subprocess.run(command, env=environment, stdin=theirs, capture_output=True, text=True, check=False)
        os.close(ours)
        os.close(theirs)
        return ran.returncode, ran.stdout + ran.stderr

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()

    def planned(self, *further: str) -> list[str]:
        plan = ["infra: plan -input=false -out plan", f"-var packages={self.packages}", *further]
        return ["infra: init -input=false", " ".join(plan)]

    def test_a_person_agrees_to_what_was_shown(self) -> None:
        code, _ = self.deploy(terminal="yes")
        self.assertEqual((code, self.called()), (0, [*self.planned(), "infra: apply -input=false plan"]))
        self.assertFalse((self.infra / "plan").exists(), "it is applied once")

    def test_anything_but_yes_applies_nothing(self) -> None:
        for answer in ["", "y", "Yes", "no"]:
            self.calls.write_text("")
            code, said = self.deploy(terminal=answer)
            self.assertEqual((code, self.called()), (1, self.planned()), answer)
            self.assertIn("not applied; the plan is in infra/plan", said)

    def test_without_a_terminal_nobody_agrees(self) -> None:
        code, said = self.deploy()
        self.assertEqual((code, self.called()), (1, self.planned()))
        self.assertIn("there is no terminal to confirm the plan", said)
        self.assertTrue((self.infra / "plan").exists())

    def test_a_plan_is_kept_and_applied_later(self) -> None:
        self.assertEqual(self.deploy("--plan")[0], 0)
        self.assertEqual((self.infra / "plan").read_text(), "of at hand\nat hand\n")
        self.assertEqual(self.deploy("--apply")[0], 0)
        init = "infra: init -input=false"
        self.assertEqual(self.called(), [*self.planned(), init, "infra: apply -input=false plan"])
        self.assertFalse((self.infra / "plan").exists())

    def test_without_a_plan_nothing_is_built_or_applied(self) -> None:
        shutil.rmtree(self.packages)
        code, said = self.deploy("--apply")
        self.assertEqual((code, self.called()), (1, []))
        self.assertIn("run scripts/deploy --plan", said)

    def test_missing_packages_are_built(self) -> None:
        (self.packages / "stint-two-arm64.zip").unlink()
        self.assertEqual(self.deploy("--plan")[0], 0)
        self.assertEqual(self.called(), ["package --arm64 two", *self.planned()])
        self.assertEqual((self.infra / "plan").read_text(), "of at hand\nbuilt\n")
        self.calls.write_text("")
        shutil.rmtree(self.packages)
        self.assertEqual(self.deploy("--plan")[0], 0)
        self.assertEqual(self.called(), ["package --arm64 one", "package --arm64 two", *self.planned()])

    def test_further_arguments_are_terraforms(self) -> None:
        self.assertEqual(self.deploy("--plan", "--", "-no-color", "-var", "a=b c")[0], 0)
        self.assertEqual(self.deploy("--apply", "--", "-parallelism=1")[0], 0)
        applied = ["infra: init -input=false", "infra: apply -input=false -parallelism=1 plan"]
        self.assertEqual(self.called(), [*self.planned("-no-color", "-var a=b c"), *applied])

    def test_what_fails_leaves_nothing_to_apply(self) -> None:
        (self.infra / "plan").write_text("an older one")
        self.assertEqual(self.deploy("--plan", FAILS="plan")[0], 1)
        self.assertFalse((self.infra / "plan").exists(), "an older plan is not what was asked for")
        self.assertEqual(self.deploy(FAILS="init", terminal="yes")[0], 1)
        self.assertEqual(self.called()[-1], "infra: init -input=false")

    def test_a_plan_that_could_not_be_applied_stays(self) -> None:
        code, _ = self.deploy(terminal="yes", FAILS="apply")
        self.assertEqual((code, (self.infra / "plan").exists()), (1, True))

    def test_ci_plans_nothing_without_a_backend_and_a_lock_file(self) -> None:
        backend = 'terraform {\n  backend "s3" {\n    bucket = "state"\n  }\n}\n'
        for mode in ["--plan", "--apply"]:
            (self.infra / "plan").write_text("reviewed")
            for path, text, said in [
                ("versions.tf", "# backend \"s3\" is missing\n", "infra/ has no backend"),
                ("backend.tf", backend, "infra/.terraform.lock.hcl is missing"),
            ]:
                (self.infra / path).write_text(text)
                code, output = self.deploy(mode, CI="true")
                self.assertEqual((code, self.called()), (1, []), mode)
                self.assertIn(said, output)
            (self.infra / "backend.tf").unlink()
        (self.infra / "backend.tf").write_text(backend)
        (self.infra / ".terraform.lock.hcl").touch()
        init = "infra: init -input=false -lockfile=readonly"
        self.assertEqual(self.deploy("--plan", CI="true")[0], 0)
        self.assertEqual(self.called(), [init, self.planned()[-1]])
        self.assertEqual(self.deploy("--apply", CI="true")[0], 0)
        self.assertEqual(self.called()[2:], [init, "infra: apply -input=false plan"], "the same plan, and no other")

    def test_wrong_usage_is_told_from_failure(self) -> None:
        for arguments in [["--destroy"], ["--plan", "-no-color"], ["-no-color"]]:
            code, said = self.deploy(*arguments)
            self.assertEqual((code, self.called()), (2, []), arguments)
            self.assertTrue(said.startswith("usage: scripts/deploy"), said)
        code, said = self.deploy("--help")
        self.assertEqual((code, self.called()), (0, []))

    def test_without_terraform_it_is_named(self) -> None:
        (self.root / "bin/terraform").unlink()
        code, said = self.deploy("--plan")
        self.assertEqual((code, self.called()), (1, []))
        self.assertIn("missing: terraform", said)


if __name__ == "__main__":
    unittest.main()
