<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** What one person has set for their phone and whom they have listed: shown and changed through the API. */
class Phone {
	/** By the field of a form: the setting of the API. */
	public const SETTINGS = ['callsieve_quiet' => 'quiet', 'callsieve_whispers' => 'whispers', 'callsieve_expects' => 'expects'];
	/** What the buttons of the own page in UCP send as `do`. */
	private const CHANGES = ['set', 'allow', 'block', 'remove', 'notSpam'];
	private const CALLS = 20;
	/** By the field of a form: the list, numbers one a line. */
	public const NUMBERS = ['callsieve_allow' => 'allow', 'callsieve_block' => 'block'];

	public function __construct(private Api $api, private string $extension) {
	}

	/** @return array<string, string[]> by the field of a form: the question and what it means */
	public static function questions(): array {
		return [
			'callsieve_quiet' => [_('Quiet hours'), _('At night strangers do not ring this phone.')],
			'callsieve_whispers' => [_('Spoken warnings'), _('A voice warns of a suspicious caller when the phone is picked up. The caller does not hear it.')],
			'callsieve_expects' => [_('I expect a call'), _('For two hours every caller rings, whatever speaks against the number.')],
		];
	}

	/** The own page of the person, for UCP. */
	public function html(): string {
		$settings = $this->settings();
		$shown = $settings === null ? [] : ['calls' => $this->calls(), 'numbers' => $this->numbers()];
		return Page::rendered('own', ['settings' => $settings] + $shown);
	}

	/** @return array[] the latest calls that were for this phone or rang it, as rows of a table */
	public function calls(): array {
		return Page::rows($this->api->get('/decisions', ['callee' => $this->extension, 'limit' => self::CALLS])['data']);
	}

	/**
	 * Does what one button of the own page asks for.
	 *
	 * @return string what was refused, '' for nothing
	 */
	public function change(array $post): string {
		$what = Page::text($post, 'do');
		return in_array($what, self::CHANGES, true) ? $this->$what($post)['error'] : '';
	}

	private function set(array $post): array {
		$name = Page::text($post, 'setting');
		return in_array($name, self::SETTINGS, true)
			? $this->api->ask('PATCH', $this->path('/settings'), [$name => Page::text($post, 'on') === 'yes'])
			: ['error' => ''];
	}

	private function allow(array $post): array {
		return $this->api->ask('PUT', $this->entry($post), ['list_name' => 'allow']);
	}

	private function block(array $post): array {
		return $this->api->ask('PUT', $this->entry($post), ['list_name' => 'block']);
	}

	private function remove(array $post): array {
		return $this->api->ask('DELETE', $this->entry($post));
	}

	private function notSpam(array $post): array {
		return $this->api->ask('PUT', '/numbers/' . Api::part(Page::text($post, 'number')) . '/marks/' . Api::part($this->extension), ['verdict' => 'ok']);
	}

	private function entry(array $post): string {
		return $this->path('/entries/' . Api::part(Page::text($post, 'number')));
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
