<?php
// SPDX-License-Identifier: GPL-3.0-or-later

/** A folder of a test's own, with the stand-in for CallSieve's API at `api.sock` in it. */
trait Served {
	private string $folder;
	/** @var ?resource */
	private mixed $server = null;

	private function makeFolder(): void {
		$this->folder = sys_get_temp_dir() . '/cs-' . bin2hex(random_bytes(4));
		mkdir($this->folder);
	}

	private function stopServing(): void {
		if ($this->server !== null) {
			proc_terminate($this->server, 9);
			proc_close($this->server);
		}
		array_map('unlink', glob("$this->folder/*"));
		rmdir($this->folder);
	}

	/** The API, with these answers beside those of a healthy one. */
	private function serves(array $answers): void {
		$all = $answers + ['GET /status' => [200, ['screening' => 'on', 'policy' => ['name' => 'cautious']]], 'GET /decisions' => [200, ['items' => []]]];
		file_put_contents("$this->folder/answers", json_encode($all));
		if ($this->server === null) {
			$command = [PHP_BINARY, '-n', __DIR__ . '/api_server.php', "$this->folder/api.sock", "$this->folder/answers", "$this->folder/asked"];
			$this->server = proc_open($command, [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], ['file', '/dev/null', 'w']], $pipes);
			for ($tries = 0; $tries < 500 && !file_exists("$this->folder/api.sock"); $tries++) {
				usleep(10000);
			}
		}
	}

	/** @return string[] the addresses that were read, with their queries */
	private function addresses(): array {
		return array_column(array_map(fn ($line) => json_decode($line, true), file("$this->folder/asked", FILE_IGNORE_NEW_LINES) ?: []), 3);
	}

	/** @return array[] the requests that changed something: method and path, body, person */
	private function asked(): array {
		$lines = array_map(fn ($line) => json_decode($line, true), @file("$this->folder/asked", FILE_IGNORE_NEW_LINES) ?: []);
		return array_values(array_filter(array_map(fn ($line) => array_slice($line, 0, 3), $lines), fn ($line) => !str_starts_with($line[0], 'GET ')));
	}
}
