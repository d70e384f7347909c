<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** Reports > CallSieve: whether calls are screened, what was decided lately and why, and the switch. */
class Page {
	private const TOKEN = 'callsieve_token';
	private const NOTE = 'callsieve_note';
	private const SHOWN = 25;
	/** Commands of the switch by what the buttons send. */
	private const COMMANDS = ['off' => ['off'], 'off-hour' => ['off', '--for', '1h'], 'on' => ['on']];

	/** @param \FreePBX\modules\Callsieve $module */
	public function __construct(private object $module) {
	}

	/** A button was pressed, or the console's address was written. Anything without the session's own token is ignored. */
	public function submitted(string $method, array $post, array &$session): void {
		$token = (string) ($session[self::TOKEN] ?? '');
		if ($method !== 'POST' || $token === '' || !hash_equals($token, (string) ($post['token'] ?? ''))) {
			return;
		}
		$wanted = (string) ($post['switch'] ?? '');
		if (isset(self::COMMANDS[$wanted])) {
			$done = $this->module->program->run(...self::COMMANDS[$wanted]);
			// That it is not in the audit, which only the service may write, is no news to whoever pressed a button.
			$session[self::NOTE] = trim($done['code'] === 0 ? $done['output'] : $done['output'] . "\n" . $done['error']);
		} elseif (isset($post['console'])) {
			$address = trim((string) $post['console']);
			$is_address = preg_match('~^https?://[^\s"\'<>]+$~', $address) === 1;
			$this->module->setConfig('console', $is_address ? $address : false);
			$session[self::NOTE] = $address === '' || $is_address ? '' : _('An address begins with https:// or http://');
		}
	}

	public function html(array &$session): string {
		$session[self::TOKEN] ??= bin2hex(random_bytes(16));
		$note = (string) ($session[self::NOTE] ?? '');
		unset($session[self::NOTE]);
		$calls = $this->module->program->json('calls', 'search', '--last', (string) self::SHOWN);
		return self::rendered('status', [
			'status' => $this->module->program->json('status'),
			'trouble' => $this->module->program->path() === '' ? $this->module->program->run()['error'] : '',
			'calls' => array_map([self::class, 'row'], $calls ?? []),
			'unscreened' => $this->module->unscreened(),
			'clashes' => Codes::clashes(),
			'console' => (string) ($this->module->getConfig('console') ?: ''),
			'token' => $session[self::TOKEN],
			'note' => $note,
		]);
	}

	/** The answer of a route, for FreePBX's form of inbound routes. */
	public static function routeHtml(bool $screened): string {
		return self::rendered('route', ['screened' => $screened]);
	}

	/** One call as the table has it: plain text, not escaped yet. */
	public static function row(array $call): array {
		$outcome = $call['outcome'] ?? [];
		$text = fn (string $key): string => is_scalar($call[$key] ?? null) ? (string) $call[$key] : '';
		$observed = $text('action') !== $text('would_be');
		return [
			'at' => date('Y-m-d H:i:s', (int) strtotime($text('at'))),
			'id' => $text('id'),
			'caller' => $text('caller') !== '' ? $text('caller') : ($text('caller_text') !== '' ? $text('caller_text') : $text('caller_kind')),
			'did' => $text('did'),
			'action' => $observed ? '(' . $text('would_be') . ')' : $text('action'),
			'rule' => $text('rule'),
			'reason' => $text('reason'),
			'ended' => is_scalar($outcome['disposition'] ?? null) ? (string) $outcome['disposition'] : '',
		];
	}

	/** A view: `$e` escapes, and every text goes through it. */
	private static function rendered(string $view, array $values): string {
		$e = fn ($text): string => htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
		extract($values, EXTR_SKIP);
		ob_start();
		require __DIR__ . "/views/$view.php";
		return ob_get_clean();
	}
}
