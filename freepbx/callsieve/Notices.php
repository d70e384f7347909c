<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** The notifications of FreePBX's dashboard, set and cleared every few minutes by what is so then. */
class Notices {
	public const MISSING = 'MISSING';
	public const DOWN = 'DOWN';
	public const NOTHING = 'NOT_SCREENED';
	public const OBSERVING = 'OBSERVING';
	public const PROMPTS = 'PROMPTS';
	public const FEEDS = 'FEEDS';
	public const ALL = [self::MISSING, self::DOWN, self::NOTHING, self::OBSERVING, self::PROMPTS, self::FEEDS];
	/** Longer than the week or two in which the documentation says to observe. */
	private const OBSERVED_SECONDS = 14 * 86400;
	private const LINK = '?display=callsieve';

	/** @param object $notifications FreePBX's; where it cannot keep one, nothing happens */
	public function __construct(private object $notifications) {
	}

	/**
	 * @param ?array $status what CallSieve says of itself; null where it is not installed, empty where it does not answer
	 * @param int $observing since when it has been observing, as FreePBX has seen it; 0 for not at all
	 */
	public function update(?array $status, int $observing, int $now): void {
		$wanted = self::wanted($status, $observing, $now);
		foreach (self::ALL as $id) {
			try {
				isset($wanted[$id]) ? $this->add($id, ...$wanted[$id]) : $this->notifications->delete('callsieve', $id);
			} catch (\Throwable) {
				return;
			}
		}
	}

	/** @return array<string, array{string, string, string}> by id: the method that adds it, headline, and what to do */
	public static function wanted(?array $status, int $observing, int $now): array {
		if ($status === null) {
			return [self::MISSING => ['add_error', _('CallSieve: the program is not installed, and no call is screened'), Page::INSTALL]];
		}
		$wanted = [];
		$state = Page::text($status, 'screening');
		$why = Page::text($status, 'why');
		if ($status === [] || $state === 'down') {
			$wanted[self::DOWN] = ['add_error', _('CallSieve does not answer: every call goes on unscreened'), $why ?: 'systemctl status callsieve'];
		} elseif (in_array($state, ['failing', 'not-connected'], true)) {
			$wanted[self::NOTHING] = ['add_error', _('CallSieve: calls are not screened'), $why];
		}
		if ($observing > 0 && $now - $observing > self::OBSERVED_SECONDS) {
			$wanted[self::OBSERVING] = ['add_notice', _('CallSieve has only observed for more than two weeks'), _('Choose a policy that acts: Admin > CallSieve > Policy.')];
		}
		foreach (array_filter((array) ($status['trouble'] ?? []), 'is_array') as $check) {
			$id = ['prompts' => self::PROMPTS, 'feeds' => self::FEEDS][Page::text($check, 'name')] ?? '';
			if ($id !== '') {
				$wanted[$id] = ['add_warning', 'CallSieve: ' . Page::text($check, 'name'), Page::text($check, 'detail') . ' ' . Page::text($check, 'remedy')];
			}
		}
		return $wanted;
	}

	/** An unchanged one is not written again: FreePBX would log it each time. */
	private function add(string $id, string $method, string $headline, string $text): void {
		$safe = fn (string $text): string => htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
		$this->notifications->$method('callsieve', $id, $safe($headline), $safe($text), self::LINK, true, false);
	}
}
