<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** The feature codes as FreePBX lists them in Admin > Feature Codes, where they may be changed or switched off. */
class Codes {
	/** By the names of Dialplan::WORDS: the code as it comes, what the list says, and its help. */
	private const ALL = [
		'quiet' => ['*25', 'Quiet hours for me', 'Strangers do not ring this phone at night. Dial the same code again to end this.'],
		'whispers' => ['*26', 'No spoken warnings for me', 'Dial the same code again to hear them.'],
		'dnc' => ['*29', 'The last person wants no calls', 'The person that this phone talked to last does not want to be called again.'],
		'allow' => ['*33', 'The last caller always rings me', 'Dial the same code within a minute to take this back.'],
		'block' => ['*34', 'The last caller never rings me', 'Dial the same code within a minute to take this back.'],
		'expect' => ['*35', 'I expect a call', 'Strangers ring this phone for two hours.'],
		'explain' => ['*36', 'Why was the last call treated so?', 'Speaks a sentence that says why.'],
		'spam' => ['*37', 'The last caller was spam', 'Dial the same code within a minute to take this back.'],
		'ok' => ['*38', 'The last caller was no spam', 'Dial the same code within a minute to take this back.'],
		'passcode' => ['*39', 'A passcode for my own page', 'Says eight digits to sign in with, valid for five minutes.'],
	];

	/** What somebody has changed stays. A code that another module uses comes switched off: FreePBX's own stays FreePBX's. */
	public static function register(): void {
		$taken = self::taken();
		foreach (self::ALL as $name => [$code, $description, $help]) {
			$feature = new \featurecode('callsieve', $name);
			$feature->setDescription($description);
			$feature->setHelpText($help);
			$feature->setDefault($code, !isset($taken[$code]));
			$feature->update();
		}
	}

	public static function remove(): void {
		foreach (array_keys(self::ALL) as $name) {
			(new \featurecode('callsieve', $name))->delete();
		}
	}

	/** @return array<string, string> those that are switched on */
	public static function active(): array {
		$codes = [];
		foreach (array_keys(self::ALL) as $name) {
			$codes[$name] = (string) (new \featurecode('callsieve', $name))->getCodeActive();
		}
		return array_filter($codes, fn ($code) => $code !== '');
	}

	/** @return array<string, string> of ours that are off while another module has their code: what they do, by code */
	public static function clashes(): array {
		$off = array_diff_key(self::ALL, self::active());
		return array_intersect_key(array_column($off, 1, 0), self::taken());
	}

	/** @return array<string, true> codes that other modules use */
	private static function taken(): array {
		$taken = [];
		foreach (featurecodes_getAllFeaturesDetailed() ?: [] as $row) {
			if ($row['modulename'] !== 'callsieve' && $row['featureenabled']) {
				$taken[$row['customcode'] ?: $row['defaultcode']] = true;
			}
		}
		return $taken;
	}
}
