"""What Lighthouse says of the built pages on a phone: `python benchmarks/lighthouse.py [PAGE ...]`, all by default.

Needs `make book`, and Lighthouse from npm: `npm install --global lighthouse`, or LIGHTHOUSE with the path of its
command. The pages are served compressed, as GitHub Pages does. Let nothing else run beside it: the performance is that
of a processor four times as slow as this one. Since it swings by some points from time to time, each page is asked
three times, a minute in all, and the line is that of the middle one. The exit code is 1 if a page falls short of what
is aimed at.
"""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

import toc  # noqa: E402
from conftest import find_chromium  # noqa: E402
from test_pages import Quiet, serve  # noqa: E402

TIMES = 3
AIMS = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
QUIET = "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update"


class Compressed(Quiet):
    """Serves texts compressed."""

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file() or path.suffix not in (".html", ".css", ".js", ".svg", ".json"):
            return super().send_head()
        body = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", f"{self.guess_type(str(path))}; charset=utf-8")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)


def ask(lighthouse, address):
    """Return Lighthouse's scores of a page, its weight in KiB, and the audits that it failed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "report.json")
        command = [lighthouse, address, "--quiet", "--output=json", f"--output-path={out}", f"--chrome-flags={QUIET}"]
        environment = os.environ | {"CHROME_PATH": find_chromium()}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        report = json.loads(out.read_bytes())
    scores = {name: round(100 * report["categories"][name]["score"]) for name in AIMS}
    weight = report["audits"]["total-byte-weight"]["numericValue"] / 1024
    graded = [ref["id"] for name in AIMS if name != "performance" for ref in report["categories"][name]["auditRefs"]]
    failed = [each for each in dict.fromkeys(graded) if report["audits"][each]["score"] not in (1, None)]
    return scores, weight, failed


def main(pages):
    """Ask for each page and print a line; return the exit code."""
    lighthouse = os.environ.get("LIGHTHOUSE") or shutil.which("lighthouse")
    if not lighthouse:
        print("benchmarks/lighthouse.py: found no Lighthouse; `npm install --global lighthouse`, or set LIGHTHOUSE")
        return 2
    short = 0
    print(f"{'page':36}{'performance':>12}{'accessibility':>14}{'best practices':>15}{'SEO':>5}{'KiB':>6}")
    with serve(ROOT / "_build" / "html", Compressed) as base:
        for page in tqdm(pages or toc.documents(), unit="page"):
            answers = [ask(lighthouse, f"{base}{page}.html") for _ in range(TIMES)]
            scores, weight, failed = sorted(answers, key=lambda answer: answer[0]["performance"])[TIMES // 2]
            short += any(scores[name] < aim for name, aim in AIMS.items())
            numbers = "".join(f"{score:{width}}" for score, width in zip(scores.values(), (12, 14, 15, 5), strict=True))
            tqdm.write(f"{page:36}{numbers}{weight:6.0f}  {', '.join(failed)}".rstrip())
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
