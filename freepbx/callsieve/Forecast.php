<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** What each policy would have done with last month's calls, counted once a day by `callsieve replay`. */
class Forecast {
	private const DAYS = '30';
	private const KEY = 'forecast';

	/** Counts again and keeps the figures. A policy that cannot be counted has none. */
	public static function count(object $module, Program $program): bool {
		$figures = [];
		foreach (array_keys(Words::policies()) as $policy) {
			$report = $program->json('replay', '--days', self::DAYS, '--policy', $policy);
			if (isset($report['calls'], $report['stopped'], $report['probable_mistakes']['calls'])) {
				$figures[$policy] = ['calls' => (int) $report['calls'], 'stopped' => (int) $report['stopped'], 'wrong' => (int) $report['probable_mistakes']['calls']];
			}
		}
		$module->setConfig(self::KEY, ['at' => time(), 'policies' => $figures]);
		return count($figures) === count(Words::policies());
	}

	/** @return array{at: int, policies: array<string, array{calls: int, stopped: int, wrong: int}>} */
	public static function stored(object $module): array {
		$kept = $module->getConfig(self::KEY);
		return (is_array($kept) ? $kept : []) + ['at' => 0, 'policies' => []];
	}

	public static function isOld(object $module): bool {
		return self::stored($module)['at'] < time() - 86400;
	}
}
