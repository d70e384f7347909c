<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** Admin > CallSieve: whether calls are screened and the switch, the calls, the lists, and the policy. */
class Page {
	/** What an administrator with a terminal as root types where the program is missing, beside the package. */
	public const INSTALL = 'apt install -y ./callsieve_*.deb && callsieve setup';
	public const VIEWS = ['calls', 'lists', 'policy'];
	public const LISTS = ['block', 'allow'];
	private const TOKEN = 'callsieve_token';
	private const NOTE = 'callsieve_note';
	private const SHOWN = 25;
	private const ENTRIES = 200;

	/** @param \FreePBX\modules\Callsieve $module */
	public function __construct(private object $module) {
	}

	/**
	 * A form was sent. Anything without the session's own token is ignored.
	 *
	 * @return bool whether something was done: then the browser is sent to the page again, so that a reload repeats nothing
	 */
	public function submitted(string $method, array $post, array &$session): bool {
		$token = (string) ($session[self::TOKEN] ?? '');
		if ($method !== 'POST' || $token === '' || !hash_equals($token, self::text($post, 'token'))) {
			return false;
		}
		$session[self::NOTE] = (new Actions($this->module))->perform($post);
		return true;
	}

	public function html(array &$session, array $query = []): string {
		$session[self::TOKEN] ??= bin2hex(random_bytes(16));
		$note = is_array($session[self::NOTE] ?? null) ? $session[self::NOTE] : [];
		unset($session[self::NOTE]);
		if ($this->module->program->path() === '') {
			return self::rendered('missing', ['command' => self::INSTALL]);
		}
		$view = in_array($query['view'] ?? '', self::VIEWS, true) ? $query['view'] : 'calls';
		$status = $this->status();
		$values = ['token' => $session[self::TOKEN], 'tab' => $view, 'status' => $status['data'], 'problem' => $status['error']];
		return self::rendered('head', $values + [
			'note' => $note + ['text' => '', 'undo' => [], 'retry' => []],
			'unscreened' => $this->module->unscreened(),
			'clashes' => Codes::clashes(),
			'signed' => is_file(__DIR__ . '/module.sig'),
			'address' => (string) ($this->module->getConfig('console') ?: ''),
		]) . self::rendered($view, $values + $this->{$view . 'Values'}($query));
	}

	/** From the API, else from the command: whether calls are screened must be seen while the API is down. */
	public function status(): array {
		$status = $this->module->api()->get('/status');
		if ($status['status'] === 200) {
			return $status;
		}
		$told = $this->module->program->json('status');
		return ['status' => $told === null ? 0 : 200, 'data' => $told ?? [], 'error' => $status['error']];
	}

	/** The entries of a list as CSV, in the form of FreePBX's Blacklist; null where they cannot be read. */
	public function csv(string $list): ?string {
		$entries = in_array($list, self::LISTS, true) ? $this->entries($list) : null;
		if ($entries === null || $entries['error'] !== '') {
			return null;
		}
		$file = fopen('php://temp', 'r+');
		fputcsv($file, ['number', 'description'], ',', '"', '');
		foreach ($entries['items'] as $entry) {
			// A spreadsheet must not take a note for a formula.
			$note = (string) ($entry['note'] ?? '');
			fputcsv($file, [$entry['text'] ?? '', preg_match('/^[=+@\t\r-]/', $note) ? "'$note" : $note], ',', '"', '');
		}
		rewind($file);
		return stream_get_contents($file);
	}

	/** The answer of a route, for FreePBX's form of inbound routes. */
	public static function routeHtml(bool $screened): string {
		return self::rendered('route', ['screened' => $screened]);
	}

	/** One call as the table has it: plain text, not escaped yet. */
	public static function row(array $call): array {
		$outcome = is_array($call['outcome'] ?? null) ? $call['outcome'] : [];
		$caller = self::text($call, 'caller');
		$action = Words::action(self::text($call, 'would_be'));
		$people = array_filter([self::text($call, 'callee'), self::text($outcome, 'answered_by'), self::text(array_values((array) ($outcome['rung'] ?? [])), 0)]);
		return [
			'id' => self::text($call, 'id'),
			'at' => Words::time($call['at'] ?? null, true),
			'number' => $caller,
			'caller' => $caller !== '' ? $caller : (self::text($call, 'caller_text') ?: self::text($call, 'caller_kind')),
			'did' => self::text($call, 'did'),
			'action' => self::text($call, 'action') === self::text($call, 'would_be') ? $action : sprintf(_('only observed: %s'), $action),
			'rule' => self::text($call, 'rule'),
			'reason' => self::text($call, 'reason'),
			'ended' => Words::ending(self::text($outcome, 'disposition')),
			'person' => (string) reset($people),
		];
	}

	/** A text of a table from outside, '' where there is none. */
	public static function text(array $values, string|int $key): string {
		return is_scalar($values[$key] ?? null) ? (string) $values[$key] : '';
	}

	/** A view: `$e` escapes, and every text goes through it. */
	public static function rendered(string $view, array $values): string {
		$e = fn ($text): string => htmlspecialchars(is_scalar($text) ? (string) $text : '', ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
		extract($values, EXTR_SKIP);
		ob_start();
		require __DIR__ . "/views/$view.php";
		return ob_get_clean();
	}

	private function callsValues(array $query): array {
		$number = self::text($query, 'number');
		$id = self::text($query, 'id');
		$found = $this->module->api()->get('/decisions', ['limit' => self::SHOWN] + ($number !== '' ? ['number' => $number] : []));
		$call = $why = [];
		if ($id !== '') {
			$call = $this->module->api()->get('/decisions/' . Api::part($id))['data'];
			$why = $this->module->api()->get('/decisions/' . Api::part($id) . '/explanation')['data'];
		}
		return ['number' => $number, 'calls' => self::rows($found['data']), 'trouble' => $found['error'], 'call' => $call, 'why' => $why];
	}

	private function listsValues(array $query): array {
		$list = in_array($query['list'] ?? '', self::LISTS, true) ? $query['list'] : self::LISTS[0];
		$entries = $this->entries($list);
		return ['list' => $list, 'entries' => $entries['items'], 'trouble' => $entries['error']];
	}

	private function policyValues(array $query): array {
		return ['forecast' => Forecast::stored($this->module)];
	}

	private function entries(string $list): array {
		$items = [];
		$cursor = '';
		do {
			$page = $this->module->api()->get("/lists/$list/entries", ['limit' => self::ENTRIES] + ($cursor === '' ? [] : ['cursor' => $cursor]));
			$items = [...$items, ...array_filter((array) ($page['data']['items'] ?? []), 'is_array')];
			$cursor = self::text($page['data'], 'next');
		} while ($cursor !== '' && count($items) < 5000);
		return ['items' => $items, 'error' => $page['error']];
	}

	/** Rows of a table, from a page of calls of the API. */
	public static function rows(array $page): array {
		return array_map([self::class, 'row'], array_filter((array) ($page['items'] ?? []), 'is_array'));
	}
}
