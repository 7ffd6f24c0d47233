"""Core's own parts and the bundled plugins hold what the kit asks of everybody."""

from __future__ import annotations

from ebmkit.testing import conformance

test_core = conformance("ebmkit-core")
test_clel = conformance("ebmkit-clel")
test_diffusion = conformance("ebmkit-diffusion")
test_improved_cd = conformance("ebmkit-improved-cd")
test_recovery = conformance("ebmkit-recovery")
