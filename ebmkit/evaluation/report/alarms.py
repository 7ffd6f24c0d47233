"""What the alarms of each run said: when, what it means, what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ebmkit.evaluation.report.content import RunContent
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.numbers import count, said
from ebmkit.evaluation.report.tables import section, table
from ebmkit.training.alarms.table import ALARMS

POINTER = re.compile(r" \(alarm [^)]*\)$")
"""Where a message sends its reader, who has the table here."""
MOST = 40
"""Findings of a run that are listed, the last ones."""


def alarms(runs: Sequence[RunContent]) -> Markup | None:
    """Returns what the alarms found; None where they found nothing."""
    found = [(run, list(run.alarms)) for run in runs if run.alarms]
    if not found:
        return None
    inside = [
        (
            tag("h3", run.name) if len(runs) > 1 else None,
            tag("p", f"The last {MOST} of {count(len(findings), 'finding')}.") if len(findings) > MOST else None,
            table(
                ["step", "", "alarm", "value", "what it means", "what to change"],
                map(_row, findings[-MOST:]),
                [3],
                [4, 5],
            ),
        )
        for run, findings in found
    ]
    return section("alarms", "Alarms", tag("p", "The same marks stand in the charts above."), inside)


def _row(finding: Mapping[str, Any]) -> list[Content]:
    if finding.get("kind") == "rollback":
        return _rollback(finding)
    stop = finding.get("kind") == "stop"
    known = next((alarm for alarm in ALARMS if alarm.name == finding.get("alarm")), None)
    sign = tag("span", "■ stop" if stop else "▲ warning", class_=f"sign {'stop' if stop else 'warning'}")
    meaning, advice = (known.meaning, known.advice) if known else ("an alarm that this ebmkit does not know", "")
    advice = POINTER.sub("", advice)
    name = tag("code", str(finding.get("alarm")), class_="sign")
    return [said(finding["step"]), sign, name, said(finding.get("value")), meaning, advice]


def _rollback(finding: Mapping[str, Any]) -> list[Content]:
    """Returns the row of a run that went back instead of being stopped."""
    sign = tag("span", "▲ rollback", class_="sign warning")
    name = tag("code", str(finding.get("alarm")), class_="sign")
    meaning = f"The run went back to step {finding.get('to')}"
    change = f"Seed {finding.get('seed')} and {finding.get('rate')} of the learning rates from there on."
    return [said(finding["step"]), sign, name, "", meaning, change]
