<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** CallSieve's words as an administrator of FreePBX reads them. Instants come as RFC 3339 and are shown in this PBX's time. */
class Words {
	/** Headline and colour by the state of screening. */
	public static function state(string $state): array {
		return [
			'on' => [_('Calls are screened'), 'success'],
			'observing' => [_('CallSieve observes: it decides and records, and every call goes on'), 'info'],
			'waiting' => [_('Ready: no call has come yet'), 'info'],
			'off' => [_('Screening is off: every call goes on unscreened'), 'warning'],
			'emergency' => [_('After an emergency call: every call goes on unscreened'), 'warning'],
			'failing' => [_('CallSieve cannot decide: calls go on unscreened'), 'danger'],
			'not-connected' => [_('No call reaches CallSieve'), 'danger'],
			'down' => [_('CallSieve does not answer: every call goes on unscreened'), 'danger'],
		][$state] ?? [_('It is not known whether calls are screened'), 'danger'];
	}

	public static function action(string $action): string {
		return [
			'allow' => _('rings'),
			'tag' => _('rings with a label'),
			'warn' => _('rings with a spoken warning'),
			'challenge' => _('must press a digit'),
			'route' => _('goes to voicemail'),
			'reject' => _('rejected'),
		][$action] ?? $action;
	}

	public static function ending(string $disposition): string {
		return [
			'answered' => _('answered'),
			'no-answer' => _('nobody answered'),
			'busy' => _('busy'),
			'failed' => _('failed'),
			'rejected' => _('rejected'),
			'voicemail' => _('voicemail'),
		][$disposition] ?? $disposition;
	}

	/** @return array<string, string> the policies of the cards: what each does */
	public static function policies(): array {
		return [
			'observe' => _('Decides and records only. Every call rings.'),
			'cautious' => _('Tags suspicious calls, warns the callee about them, and asks likely spam callers to press a digit.'),
			'balanced' => _('Like the preset cautious, but calls with very strong evidence against them go to voicemail.'),
			'strangers' => _('Like the preset balanced. Outside office hours an unknown caller must press a digit, once in 90 days.'),
		];
	}

	/** @return array<string, string> for how long screening may be off */
	public static function durations(): array {
		return ['30m' => _('30 minutes'), '1h' => _('1 hour'), '8h' => _('8 hours'), '7d' => _('7 days'), '' => _('until I switch it on')];
	}

	public static function time(mixed $instant, bool $seconds = false): string {
		$at = is_string($instant) ? strtotime($instant) : false;
		return $at === false ? '' : date($seconds ? 'Y-m-d H:i:s' : 'Y-m-d H:i', $at);
	}
}
