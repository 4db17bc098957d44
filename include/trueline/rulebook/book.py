"""Both files as one immutable value with a version, parameters for SQL and small rule tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from trueline.rulebook.attribution import AttributionRules
from trueline.rulebook.decay import decay_factors
from trueline.rulebook.fits import ModelFit, load_fit_of
from trueline.rulebook.qualification import QualificationRules
from trueline.settings.yaml_lines import load_model

MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules of one run.

    Attributes:
        version: Short hash of everything that can change a number after the raw layer.
        time_zone: The reporting time zone; part of the version, since it moves days.
        fit: What the attribution model learnt from past leads, where it needs that.
    """

    attribution: AttributionRules
    qualification: QualificationRules
    time_zone: str
    version: str
    fit: ModelFit | None = None

    @property
    def label(self) -> str:
        return f"{self.attribution.label} / {self.qualification.label}"

    def content(self) -> str:
        """Canonical JSON of the rules: what the version is the hash of."""
        return _canonical(self.attribution, self.qualification, self.time_zone, self.fit)

    def parameters(self, as_of: datetime) -> dict[str, Any]:
        """Values of all query parameters of one run, by name."""
        attribution, qualification = self.attribution, self.qualification
        return {
            "as_of": as_of,
            "rules_version": self.version,
            "reporting_time_zone": self.time_zone,
            # A window frame takes a parameter, but no sum of one: the limit is still a duplicate.
            "no_duplicate_after_microseconds": attribution.duplicate_minutes * 60_000_000 + 1,
            "repeat_days": attribution.repeat_days,
            "sync_lag_minutes": attribution.sync_lag_minutes,
            "clock_slack_minutes": attribution.clock_slack_minutes,
            "max_fan_out": attribution.max_fan_out,
            "max_addresses": attribution.max_addresses,
            "max_addresses_per_phone": attribution.max_addresses_per_phone,
            "max_browsers_per_click": attribution.max_browsers_per_click,
            "session_minutes": attribution.session_minutes,
            "max_rate_age_days": attribution.max_rate_age_days,
            "default_goal": attribution.default_goal,
            "attribution_model": attribution.model,
            "first_touch_percent": attribution.model_settings.first,
            "last_touch_percent": attribution.model_settings.last,
            "half_life_microseconds": int(
                attribution.model_settings.half_life_days * MICROSECONDS_PER_DAY
            ),
            "final_after_days": qualification.final_after_days,
            "min_coverage": qualification.score.min_coverage,
            "qualified_score": qualification.score.qualified_from,
            "hot_score": qualification.score.hot_from,
            "warm_score": qualification.score.warm_from,
            # Nothing is below 0.
            "disqualified_score": qualification.score.disqualified_below or Decimal(0),
            "upload_click_window_days": qualification.upload.click_window_days,
            "unknown_consent": qualification.upload.unknown_consent,
            "judgement_days": qualification.judgement.window_days,
            "curve_days": qualification.final_after_days + qualification.judgement.history_days,
            "curve_from_leads": qualification.judgement.curve_from_leads,
            "curve_from_qualified": qualification.judgement.curve_from_qualified,
            "close_after_days": qualification.judgement.close_after_days,
        }

    def tables(
        self,
        domain_key: Callable[[str], str | None],
        mailbox_key: Callable[[str], str | None],
        ip_key: Callable[[str], str | None],
    ) -> Mapping[str, list[dict[str, Any]]]:
        """Rows of the ``rules`` layer, without their rules_version.

        Args:
            domain_key: Keyed hash of an e-mail domain: rules meet raw rows only in keyed form.
            mailbox_key: Keyed hash of what stands before the ``@``.
            ip_key: Keyed hash of an address.
        """
        attribution, qualification = self.attribution, self.qualification
        return {
            "channels": [
                {
                    "channel": channel,
                    "makes_claims": channel in attribution.claiming_platforms,
                    "look_back_days": attribution.look_back_days_by_channel.get(
                        channel, attribution.look_back_days
                    ),
                }
                for channel in sorted(attribution.channels())
            ],
            "conversion_goals": [
                {"conversion_goal": name, "goal_kind": goal.kind, "makes_lead": goal.makes_lead}
                for name, goal in attribution.conversion_goals.items()
            ],
            "tag_event_goals": [
                {"event_name": event, "conversion_goal": goal}
                for event, goal in attribution.tag_event_goals.items()
            ],
            "claim_goals": [
                {
                    "platform": mapping.platform,
                    "account_id": mapping.account_id,
                    "conversion_action": mapping.conversion_action,
                    "conversion_goal": mapping.goal,
                }
                for mapping in attribution.claim_goals
            ],
            "click_id_channels": [
                {"click_id_type": kind, "channel": channel}
                for kind, channel in attribution.click_id_channels.items()
            ],
            "source_channels": [
                {
                    "rule_order": position,
                    "utm_source": rule.utm_source,
                    "utm_medium": rule.utm_medium,
                    "channel": rule.channel,
                }
                for position, rule in enumerate(attribution.source_channels, start=1)
            ],
            "referrer_channels": [
                {"referrer_host": host, "channel": channel}
                for host, channel in attribution.referrer_channels.items()
            ],
            "crm_source_channels": [
                {"crm_source": source, "channel": channel}
                for source, channel in attribution.crm_source_channels.items()
            ],
            "self_reported_channels": [
                {"self_reported_source": answer, "channel": channel}
                for answer, channel in attribution.self_reported_channels.items()
            ],
            "decay_factors": decay_factors(),
            "model_fits": self.fit.rows() if self.fit else [],
            "bot_user_agents": [{"pattern": pattern} for pattern in attribution.bot_user_agents],
            "internal_keys": [
                *(
                    {"key_kind": "email_domain", "internal_key": domain_key(domain)}
                    for domain in attribution.internal.email_domains
                ),
                *(
                    {"key_kind": "ip", "internal_key": ip_key(str(address))}
                    for address in attribution.internal.ip_addresses
                ),
                *(
                    {"key_kind": "mailbox", "internal_key": mailbox_key(mailbox)}
                    for mailbox in attribution.shared_mailboxes
                ),
            ],
            "stage_verdicts": [
                {
                    "crm": rule.crm,
                    "stage": rule.stage,
                    "stage_reason": rule.stage_reason,
                    "verdict": rule.verdict,
                    "reason": rule.reason,
                    "is_contact": rule.contact,
                }
                for rule in qualification.stage_verdicts
            ],
            "hard_disqualifiers": [
                {"criterion": rule.criterion, "below": rule.below, "reason": rule.reason}
                for rule in qualification.hard_disqualifiers
            ],
            "overrides": [
                {
                    "rule_order": position,
                    "criterion": rule.criterion,
                    "at_least": rule.at_least,
                    "outweighs": rule.outweighs,
                }
                for position, rule in enumerate(qualification.overrides, start=1)
            ],
            "criteria": [
                {
                    "criterion": criterion,
                    "weight": qualification.score.weights.get(criterion, Decimal(0)),
                    "weak_reason": reason,
                }
                for criterion, reason in qualification.criterion_reasons.items()
            ],
            "lead_types": [
                {
                    "rule_order": position,
                    "crm": rule.crm,
                    "stage": rule.stage,
                    "declared": rule.declared,
                    "lead_type": rule.lead_type,
                }
                for position, rule in enumerate(qualification.lead_types, start=1)
            ],
            "reasons": [
                {"reason": reason, "reason_order": position}
                for position, reason in enumerate(qualification.reason_order, start=1)
            ],
        }


def load_rulebook(folder: Path, time_zone: str) -> Rulebook:
    """Read ``attribution.yaml``, ``qualification.yaml`` and the fit they name from ``folder``.

    Raises:
        ConfigurationError: with file, line, value and fix.
    """
    attribution = load_model(folder / "attribution.yaml", AttributionRules, expand_env=False)
    qualification = load_model(folder / "qualification.yaml", QualificationRules, expand_env=False)
    fit = load_fit_of(folder, attribution)
    content = _canonical(attribution, qualification, time_zone, fit)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Rulebook(attribution, qualification, time_zone, digest[:12], fit)


def _canonical(
    attribution: AttributionRules,
    qualification: QualificationRules,
    time_zone: str,
    fit: ModelFit | None,
) -> str:
    # Labels are for people: renaming a rulebook does not change a number.
    return json.dumps(
        {
            "attribution": attribution.model_dump(mode="json", exclude={"label"}),
            "qualification": qualification.model_dump(mode="json", exclude={"label"}),
            "time_zone": time_zone,
            "fit": fit.model_dump(mode="json") if fit else None,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
