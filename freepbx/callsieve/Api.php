<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/**
 * Asks CallSieve's API at its Unix socket, where the kernel says who asks: no token is needed. It never throws.
 *
 * Every answer is `status`, an HTTP status (0: nobody answered), `data`, and `error`, one line for the administrator.
 */
class Api {
	public const SOCKET = '/var/lib/callsieve/api.sock';
	public const OBJECTIONS = 'objections';

	/** @param string $person the user of FreePBX who asks: CallSieve's audit names them */
	public function __construct(
		private string $person = '',
		private string $socket = self::SOCKET,
		private float $seconds = 5.0,
		private int $bytes = 4 << 20,
	) {
	}

	/** @return array{status: int, data: array, error: string, code: string} */
	public function get(string $path, array $query = []): array {
		return $this->ask('GET', $path . ($query ? '?' . http_build_query($query) : ''));
	}

	/** @return array{status: int, data: array, error: string, code: string} */
	public function ask(string $method, string $path, ?array $body = null): array {
		$text = $body === null ? '' : json_encode((object) $body, JSON_INVALID_UTF8_SUBSTITUTE);
		$head = "$method /api/v1$path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " . strlen($text) . "\r\n";
		$head .= 'Accept-Language: ' . self::language() . "\r\n";
		$head .= $body === null ? '' : "Content-Type: application/json\r\n";
		$head .= 'CallSieve-Person: ' . preg_replace('/[\x00-\x1f\x7f]/', '', $this->person) . "\r\n\r\n";
		$answer = $this->exchanged($head . $text);
		if ($answer === null || !preg_match('~^HTTP/1\.1 (\d{3}) ~', $answer, $found)) {
			return self::answer(0, [], _('CallSieve\'s API does not answer. It is served by the unit callsieve-api.'));
		}
		$data = json_decode(explode("\r\n\r\n", $answer, 2)[1] ?? '', true, 64);
		$data = is_array($data) ? $data : [];
		$is_fine = $found[1] < 300;
		return self::answer((int) $found[1], $data, $is_fine ? '' : (string) ($data['detail'] ?? $found[1]), $is_fine ? '' : (string) ($data['code'] ?? ''));
	}

	/** That of FreePBX's page or of UCP, whose texts gettext chooses: reasons and refusals come in it. */
	private static function language(): string {
		return defined('LC_MESSAGES') && str_starts_with((string) setlocale(LC_MESSAGES, '0'), 'zh') ? 'zh' : 'en';
	}

	/** A value as a part of a path: a number, a name, an entry of a list. */
	public static function part(string $value): string {
		return rawurlencode($value);
	}

	private static function answer(int $status, array $data, string $error, string $code = ''): array {
		return ['status' => $status, 'data' => $data, 'error' => $error, 'code' => $code];
	}

	/** Everything that came back; null where that took too long or was too much. */
	private function exchanged(string $request): ?string {
		$deadline = microtime(true) + $this->seconds;
		$stream = @stream_socket_client("unix://{$this->socket}", $number, $text, $this->seconds);
		if (!is_resource($stream)) {
			return null;
		}
		$answer = @fwrite($stream, $request) === strlen($request) ? '' : null;
		while ($answer !== null && !feof($stream)) {
			$left = $deadline - microtime(true);
			stream_set_timeout($stream, (int) $left, (int) (fmod(max($left, 0), 1) * 1e6));
			$part = $left > 0 ? fread($stream, 65536) : false;
			$is_late = $part === false || stream_get_meta_data($stream)['timed_out'];
			$answer = $is_late || strlen($answer) > $this->bytes ? null : $answer . $part;
		}
		fclose($stream);
		return $answer;
	}
}
