"""What mkdocs asks of this repository: a link from a page to a file outside docs/ leads to a page that shows the file.

On the disk and on a forge such links lead to the file itself. In the site they lead to `repository/PATH.md`: a Markdown
file as it is, any other one as a block of code.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"(?P<open>\]\()(?!\w+:|#|/)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)$", re.DOTALL | re.MULTILINE)
FOR_THE_TESTS = re.compile(r"(?<=^```sh) title=\"not tested: [^\"]*\"")
SHOWN = "repository/"
HOME = {".": "index.md", "README.md": "index.md"}
ALWAYS = ("CONTRIBUTING.md", "CHANGELOG.md")
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".sh": "sh"}


def place(uri: str) -> str:
    """Returns where the source of a page lies in the repository."""
    if not uri.startswith(SHOWN):
        return f"docs/{uri}"
    path = uri.removeprefix(SHOWN)
    return path if (ROOT / path).is_file() else path.removesuffix(".md")


def page_of(path: str) -> str:
    """Returns the page, or the file, of the site that shows a path of the repository."""
    inside = path.removeprefix("docs/")
    if path in HOME:
        return HOME[path]
    if inside != path and not path.endswith(".py"):
        return f"{inside}/README.md" if (ROOT / path).is_dir() else inside
    return f"{SHOWN}{path}" if path.endswith(".md") else f"{SHOWN}{path}.md"


def targets(uri: str, text: str) -> list[str]:
    """Returns the paths in the repository that the links of a page lead to."""
    folder = posixpath.dirname(place(uri))
    return [posixpath.normpath(posixpath.join(folder, found["path"])) for found in LINK.finditer(FENCE.sub("", text))]


def content(path: str) -> str:
    """Returns the Markdown of the page that shows a file of the repository."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    return (
        f"# {posixpath.basename(path)}\n\n`{path}`\n\n`````{LANGUAGES.get(Path(path).suffix, 'text')}\n{text}\n`````\n"
    )


def on_files(files: Files, config: Any) -> Files:
    """Adds a page for every file outside docs/ that a page links to, those pages' links included."""
    waiting = list(ALWAYS)
    for file in files.documentation_pages():
        waiting += targets(file.src_uri, file.content_string)
    while waiting:
        path = waiting.pop()
        uri = page_of(path)
        if uri.startswith(SHOWN) and files.get_file_from_path(uri) is None and (ROOT / path).is_file():
            files.append(File.generated(config, uri, content=content(path)))
            waiting += targets(uri, content(path)) if path.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Returns the page with its links as the site needs them; of code blocks only words to the tests go."""
    uri = page.file.src_uri
    folder, here = posixpath.dirname(place(uri)), posixpath.dirname(uri)

    def led(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, found["path"]))
        target = posixpath.relpath(page_of(path), here or ".")
        return f"{found['open']}{target}{found['anchor'] or ''})"

    done, end = [], 0
    for fence in FENCE.finditer(markdown):
        done += [LINK.sub(led, markdown[end : fence.start()]), FOR_THE_TESTS.sub("", fence[0])]
        end = fence.end()
    return "".join([*done, LINK.sub(led, markdown[end:])])
