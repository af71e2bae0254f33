"""What the tests of CI share: a scratch repository with a budget, and the shell that runs recipes in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
BASH, GIT = shutil.which("bash"), shutil.which("git")
BUDGET = """\
defaults: {gpu: h100, gpus: 256, price: 2.50}
runs:
  small: {params: 1B, tokens: 40B}
  base: {config: config.json, tokens: 300B}
policy:
  each:
    deny:
      max: {days: 30, params: 10B}
    warn:
      min: {tokens_per_param: 20}
  total:
    deny:
      max_increase: {flops: 10%}
"""
CONFIG = {
    **{"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32},
    **{"intermediate_size": 11008, "vocab_size": 32000, "tie_word_embeddings": False},
}
RELATIVE = BUDGET[BUDGET.index("  total:") :]  # the part of the policy that asks for a baseline
# what `python3 -m venv` and pip would make, without the network
VENV = f"""\
mkdir -p "$3/bin"
cat > "$3/bin/python" <<'END'
#!{BASH}
if [ "$1" = -m ]; then printf '%s\\n' "$@" > "$RUNNER_TEMP/installed"; else exec "{sys.executable}" "$@"; fi
END
cp "$(command -v scaling)" "$3/bin/scaling"
chmod +x "$3/bin/python"
"""


class Repository:
    """A git repository with a budget and the config that it names, and tools of ours before all others in PATH."""

    budget, config, relative = BUDGET, CONFIG, RELATIVE

    def __init__(self, home: Path) -> None:
        self.path, self.tools, self.temp = home / "repo", home / "tools", home / "temp dir"
        self.tools.mkdir()
        self.temp.mkdir()
        who = {f"GIT_{role}_{key}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "GITHUB_"))},
            **{"PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull, **who},
            "TMPDIR": str(self.temp),
        }
        self.tool("scaling", f'exec "{sys.executable}" -m scaling_cli "$@"')
        self.git("init", "-q", "-b", "main", str(self.path), cwd=home)
        self.commit(scaling__yaml=BUDGET, config__json=json.dumps(CONFIG))

    def tool(self, name: str, script: str) -> None:
        """Put a shell script into PATH."""
        path = self.tools / name
        path.write_text(f"#!{BASH}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def call(self, *words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the repository, whatever its exit code."""
        return subprocess.run(
            words, cwd=cwd or self.path, env=self.env | env, capture_output=True, text=True, timeout=60
        )

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git; it must succeed."""
        done = self.call("git", *words, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, **files: str) -> None:
        """Write files by name, `__` for a dot, and stage all there is."""
        for name, text in files.items():
            path = self.path / name.replace("__", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "-A")

    def commit(self, **files: str) -> str:
        """Commit files and return the commit."""
        self.write(**files)
        self.git("commit", "-q", "-m", "budget")
        return self.git("rev-parse", "HEAD")

    def break_git(self, word: str) -> None:
        """Make git fail where that is among its words."""
        self.tool("git", f'case " $* " in *" {word} "*) echo broken >&2; exit 128 ;; esac\nexec {GIT} "$@"')


class Done(NamedTuple):
    code: int
    outputs: dict[str, str]
    summary: str
    log: str
    err: str


class Scratch:
    """A runner that runs the action's steps in a repository as GitHub does."""

    def __init__(self, repository: Repository) -> None:
        self.git, self.commit, self.repository = repository.git, repository.commit, repository
        self.budget, self.relative, self.config = repository.budget, repository.relative, repository.config
        self.workspace, self.temp = repository.path, repository.temp
        repository.tool("python3", VENV)
        self.env = repository.env | {
            **{"RUNNER_TEMP": str(self.temp), "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_ACTIONS": "true"}
        }

    def run(self, **inputs: str) -> Done:
        given = {name: str(value["default"]) for name, value in ACTION["inputs"].items()}
        given |= {"baseline": ""} | {name.replace("_", "-"): value for name, value in inputs.items()}
        known = {f"inputs.{name}": value for name, value in given.items()}
        summary, log, err, code = self.temp / "summary", "", "", 0
        summary.write_text("")
        for step in ACTION["runs"]["steps"]:
            output = self.temp / f"output-{step['id']}"
            output.write_text("")
            env = {name: fill(str(text), known) for name, text in step.get("env", {}).items()}
            env |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
            script = self.temp / "step.sh"
            script.write_text(step["run"], encoding="utf-8")
            command = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script))
            done = self.repository.call(*command, cwd=self.workspace, **self.env, **env)
            log, err, code = log + done.stdout, err + done.stderr, done.returncode
            known |= {f"steps.{step['id']}.outputs.{key}": text for key, text in read_outputs(output).items()}
            if code:
                break
        outputs = {name: fill(str(of["value"]), known) for name, of in ACTION["outputs"].items()}
        return Done(code, outputs, summary.read_text(encoding="utf-8"), log, err)


def fill(text: str, known: dict[str, str]) -> str:
    """Return a text with its expressions worked out: a value, or a literal where that is empty."""
    return re.sub(r"\$\{\{ (\S+)(?: \|\| '(\w+)')? \}\}", lambda match: known.get(match[1]) or match[2] or "", text)


def read_outputs(path: Path) -> dict[str, str]:
    """Return the file commands of a step: name=value, and name<<MARK, lines, MARK."""
    found: dict[str, str] = {}
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, heredoc, mark = line.partition("<<")
        if heredoc:
            found[name] = "\n".join(iter(lambda: next(lines), mark))  # noqa: B023  read at once
        else:
            name, equals, found[name] = line.partition("=")
            assert equals
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with one commit."""
    if not (BASH and GIT):
        pytest.skip("needs bash and git")
    return Repository(tmp_path)


@pytest.fixture
def scratch(repository: Repository) -> Scratch:
    """A repository with one commit, and a runner of the action."""
    return Scratch(repository)
