<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** What the buttons of the page do, each by one request to the API, and what is said about it afterwards. */
class Actions {
	private const MOST_LINES = 2000;
	private const MOST_TOLD = 5;
	/** Methods by what a form sends as `do`. */
	private const ALL = ['on', 'off', 'block', 'allow', 'notSpam', 'add', 'remove', 'import', 'undo', 'activate', 'forecast', 'console'];

	/** @param \FreePBX\modules\Callsieve $module */
	public function __construct(private object $module) {
	}

	/** @return array{text: string, undo: int[], retry: array} the changes that may be undone, and what to send to insist */
	public function perform(array $post): array {
		$what = Page::text($post, 'do');
		$said = in_array($what, self::ALL, true) ? $this->$what($post) : ['text' => ''];
		return $said + ['text' => '', 'undo' => [], 'retry' => []];
	}

	/** The command is asked where the API does not answer: screening can be switched off while everything of ours is down. */
	private function off(array $post): array {
		$duration = Page::text($post, 'for');
		$duration = isset(Words::durations()[$duration]) && $duration !== '' ? $duration : null;
		$done = $this->module->api()->ask('POST', '/screening/off', ['for' => $duration, 'reason' => Page::text($post, 'reason')]);
		return $this->switched($done, 'off', ...($duration === null ? [] : ['--for', $duration]));
	}

	private function on(array $post): array {
		return $this->switched($this->module->api()->ask('POST', '/screening/on'), 'on');
	}

	private function switched(array $done, string ...$command): array {
		if ($done['status'] !== 0) {
			return ['text' => $done['error']];
		}
		$run = $this->module->program->run(...$command);
		return ['text' => trim($run['code'] === 0 ? $run['output'] : $run['output'] . "\n" . $run['error'])];
	}

	private function block(array $post): array {
		return $this->listed('block', $post);
	}

	private function allow(array $post): array {
		return $this->listed('allow', $post);
	}

	private function add(array $post): array {
		return in_array($post['list'] ?? '', Page::LISTS, true) ? $this->listed($post['list'], $post) : [];
	}

	private function listed(string $list, array $post): array {
		$entry = Page::text($post, 'entry');
		$done = $this->entry($list, $entry, Page::text($post, 'note'), Page::text($post, 'expires'), Page::text($post, 'force') === 'yes');
		$words = $list === 'block' ? _('%s is blocked.') : _('%s always rings.');
		$said = $this->said($done, sprintf($words, $entry));
		return $done['code'] === Api::OBJECTIONS ? $said + ['retry' => ['force' => 'yes'] + $post] : $said;
	}

	private function entry(string $list, string $entry, string $note, string $expires = '', bool $force = false): array {
		$body = ['entry' => $entry, 'note' => $note, 'expires' => $expires === '' ? null : $expires, 'force' => $force];
		return $this->module->api()->ask('POST', "/lists/$list/entries", $body);
	}

	private function remove(array $post): array {
		$list = in_array($post['list'] ?? '', Page::LISTS, true) ? $post['list'] : Page::LISTS[0];
		$entry = Page::text($post, 'entry');
		return $this->said($this->module->api()->ask('DELETE', "/lists/$list/entries/" . Api::part($entry)), sprintf(_('%s was removed from the list.'), $entry));
	}

	private function notSpam(array $post): array {
		$path = '/numbers/' . Api::part(Page::text($post, 'entry')) . '/marks/' . Api::part(Page::text($post, 'person'));
		return $this->said($this->module->api()->ask('PUT', $path, ['verdict' => 'ok']), sprintf(_('%s is marked as not spam.'), Page::text($post, 'entry')));
	}

	/** Lines as `number,description`, as FreePBX's Blacklist exports them. What cannot be used is named, the rest is added. */
	private function import(array $post): array {
		$list = in_array($post['list'] ?? '', Page::LISTS, true) ? $post['list'] : Page::LISTS[0];
		$lines = preg_split('/\R/', Page::text($post, 'lines'), self::MOST_LINES + 1, PREG_SPLIT_NO_EMPTY) ?: [];
		$undo = $refused = [];
		foreach (array_slice($lines, 0, self::MOST_LINES) as $line) {
			[$number, $note] = array_map('trim', str_getcsv($line, ',', '"', '')) + ['', ''];
			if ($number === '' || $number === 'number') {
				continue;
			}
			$done = $this->entry($list, $number, ltrim($note, "'"));
			if ($done['error'] !== '') {
				$refused[] = "$number: {$done['error']}";
			} elseif (isset($done['data']['change_id'])) {
				$undo[] = (int) $done['data']['change_id'];
			}
		}
		$said = [sprintf(_('Entries added: %d. Entries not added: %d.'), count($undo), count($refused)), ...array_slice($refused, 0, self::MOST_TOLD)];
		if (count($lines) > self::MOST_LINES) {
			$said[] = sprintf(_('Only the first %d lines were read.'), self::MOST_LINES);
		}
		return ['text' => implode("\n", $said), 'undo' => $undo];
	}

	private function undo(array $post): array {
		foreach (array_reverse(explode(' ', Page::text($post, 'changes'))) as $change) {
			$done = $this->module->api()->ask('POST', '/changes/' . Api::part($change) . '/undo');
			if ($done['error'] !== '') {
				return ['text' => $done['error']];
			}
		}
		return ['text' => _('Undone.')];
	}

	private function activate(array $post): array {
		$name = Page::text($post, 'policy');
		if (!isset(Words::policies()[$name])) {
			return [];
		}
		return $this->said($this->module->api()->ask('POST', '/policies/' . Api::part($name) . '/activate'), sprintf(_('The active policy is now %s.'), $name));
	}

	private function forecast(array $post): array {
		$began = $this->module->startForecast();
		return ['text' => $began ? _('Counting. This takes a minute or two: then open this page again.') : _('Counting the calls that each policy would stop could not be started.')];
	}

	private function console(array $post): array {
		$address = trim(Page::text($post, 'address'));
		$is_address = preg_match('~^https?://[^\s"\'<>]+$~', $address) === 1;
		$this->module->setConfig('console', $is_address ? $address : false);
		return ['text' => $address === '' || $is_address ? '' : _('The address of the console must begin with https:// or http://')];
	}

	private function said(array $done, string $text): array {
		$change = $done['data']['change_id'] ?? null;
		return $done['error'] !== '' ? ['text' => $done['error']] : ['text' => $text, 'undo' => is_int($change) ? [$change] : []];
	}
}
