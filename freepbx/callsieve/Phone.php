<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** What one person has set for their phone and whom they have listed: shown and changed through the API. */
class Phone {
	/** By the field of a form: the setting of the API. */
	public const SETTINGS = ['callsieve_quiet' => 'quiet', 'callsieve_whispers' => 'whispers', 'callsieve_expects' => 'expects'];
	/** By the field of a form: the list, numbers one a line. */
	public const NUMBERS = ['callsieve_allow' => 'allow', 'callsieve_block' => 'block'];

	public function __construct(private Api $api, private string $extension) {
	}

	/** @return ?array{quiet: bool, whispers: bool, expects: bool} null where CallSieve does not know this extension */
	public function settings(): ?array {
		$found = $this->api->get($this->path('/settings'));
		if ($found['status'] !== 200) {
			return null;
		}
		$data = $found['data'];
		return ['quiet' => !empty($data['quiet']), 'whispers' => !empty($data['whispers']), 'expects' => isset($data['expects_until'])];
	}

	/** @return array{allow: string[], block: string[]} */
	public function numbers(): array {
		$lists = ['allow' => [], 'block' => []];
		$found = $this->api->get($this->path('/entries'), ['limit' => 200]);
		foreach (array_filter((array) ($found['data']['items'] ?? []), 'is_array') as $entry) {
			$lists[Page::text($entry, 'verdict')][] = Page::text($entry, 'number');
		}
		return array_intersect_key($lists, ['allow' => 1, 'block' => 1]);
	}

	/**
	 * Changes what differs from what is so now. Lists only where `$numbers` says that this user may see them.
	 *
	 * @return string what was refused, '' for nothing
	 */
	public function save(array $form, bool $numbers): string {
		$now = $this->settings();
		if ($now === null) {
			return '';
		}
		$changed = [];
		foreach (self::SETTINGS as $field => $name) {
			if (isset($form[$field]) && ($form[$field] === 'yes') !== $now[$name]) {
				$changed[$name] = $form[$field] === 'yes';
			}
		}
		$refused = $changed ? [$this->api->ask('PATCH', $this->path('/settings'), $changed)['error']] : [];
		foreach ($numbers ? self::NUMBERS : [] as $field => $list) {
			if (isset($form[$field])) {
				$refused = [...$refused, ...$this->replace($list, Page::text($form, $field))];
			}
		}
		return implode("\n", array_filter($refused));
	}

	/** @return string[] */
	private function replace(string $list, string $lines): array {
		$wanted = array_unique(array_filter(array_map('trim', preg_split('/\R/', $lines) ?: [])));
		$known = $this->numbers()[$list];
		$errors = [];
		foreach (array_diff($known, $wanted) as $number) {
			$errors[] = $this->api->ask('DELETE', $this->path('/entries/' . Api::part($number)))['error'];
		}
		foreach (array_diff($wanted, $known) as $number) {
			$errors[] = $this->api->ask('PUT', $this->path('/entries/' . Api::part($number)), ['list_name' => $list])['error'];
		}
		return $errors;
	}

	private function path(string $rest): string {
		return '/people/' . Api::part($this->extension) . $rest;
	}
}
