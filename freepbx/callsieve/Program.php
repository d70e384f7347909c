<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

/** Runs the command `callsieve`: without a shell, for a few seconds and a megabyte at most. It never throws. */
class Program {
	public const PLACES = ['/usr/local/bin/callsieve', '/opt/callsieve/bin/callsieve', '/usr/bin/callsieve'];
	private const LOGGER = ['/usr/bin/systemd-cat', '--identifier=callsieve'];
	private const ENVIRONMENT = ['PATH' => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG' => 'C.UTF-8', 'COLUMNS' => '80'];

	/** @param string[] $places where the command may be, the first that is there counts */
	public function __construct(
		private array $places = self::PLACES,
		private float $seconds = 5.0,
		private int $bytes = 1 << 20,
	) {
	}

	/** '' where it is not installed. */
	public function path(): string {
		foreach ($this->places as $place) {
			if (is_executable($place)) {
				return $place;
			}
		}
		return '';
	}

	/** @return array{code: ?int, output: string, error: string} `code` is null where it did not end by itself */
	public function run(string ...$arguments): array {
		$path = $this->path();
		if ($path === '') {
			return $this->failed('CallSieve is not installed on this server: there is no ' . implode(', ', $this->places));
		}
		$process = $this->opened([$path, ...$arguments], ['pipe', 'w'], ['pipe', 'w'], $pipes);
		if (!is_resource($process)) {
			return $this->failed("$path cannot be started");
		}
		$texts = $this->read($pipes);
		$ended = $texts !== null;
		if (!$ended) {
			proc_terminate($process, 9);
		}
		array_map('fclose', $pipes);
		$code = proc_close($process);
		return $ended ? ['code' => $code, 'output' => $texts[1], 'error' => $texts[2]] : $this->failed("$path took too long, or printed too much");
	}

	/**
	 * What a command says with --json; null where it says none.
	 *
	 * An exit code other than 0 may come with an answer: `status` says so that calls are not screened.
	 */
	public function json(string ...$arguments): ?array {
		$answer = json_decode($this->run(...[...$arguments, '--json'])['output'], true, 64);
		return is_array($answer) ? $answer : null;
	}

	/**
	 * Starts a command in the background, for ten minutes at most. What it prints goes to the journal, where there is one.
	 *
	 * Never to a file of FreePBX's log directory: Asterisk's user owns that, and could put a link there for root to write through.
	 */
	public function start(string ...$arguments): bool {
		$path = $this->path();
		if ($path === '') {
			return false;
		}
		$journal = is_executable(self::LOGGER[0]) && file_exists('/run/systemd/journal/stdout') ? self::LOGGER : [];
		$command = ['setsid', '-f', ...$journal, 'timeout', '-k', '5', '600', $path, ...$arguments];
		$process = $this->opened($command, ['file', '/dev/null', 'w'], ['redirect', 1], $pipes);
		return is_resource($process) && proc_close($process) === 0;
	}

	/** The process, or false: also where this PHP may start none. */
	private function opened(array $command, array $output, array $error, ?array &$pipes): mixed {
		try {
			return @proc_open($command, [['file', '/dev/null', 'r'], $output, $error], $pipes, '/', self::ENVIRONMENT);
		} catch (\Throwable) {
			return false;
		}
	}

	/** Both outputs once they have ended; null where that takes too long or there is too much. */
	private function read(array $pipes): ?array {
		$deadline = microtime(true) + $this->seconds;
		$texts = [1 => '', 2 => ''];
		$open = [1 => $pipes[1], 2 => $pipes[2]];
		while ($open) {
			$left = $deadline - microtime(true);
			$ready = $open;
			$none = null;
			if ($left <= 0 || @stream_select($ready, $none, $none, 0, (int) min(200000, $left * 1e6)) === false) {
				return null;
			}
			foreach ($ready as $number => $pipe) {
				$texts[$number] .= fread($pipe, 65536);
				if (feof($pipe)) {
					unset($open[$number]);
				}
			}
			if (strlen($texts[1]) + strlen($texts[2]) > $this->bytes) {
				return null;
			}
		}
		return $texts;
	}

	private function failed(string $why): array {
		return ['code' => null, 'output' => '', 'error' => $why];
	}
}
