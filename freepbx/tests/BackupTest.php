<?php
// SPDX-License-Identifier: GPL-3.0-or-later

require_once __DIR__ . '/stubs.php';
require_once __DIR__ . '/../callsieve/Backup.php';
require_once __DIR__ . '/../callsieve/Restore.php';

use FreePBX\modules\Callsieve\Backup;
use FreePBX\modules\Callsieve\Restore;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class BackupTest extends TestCase {
	public function testWhatIsKeptComesBack(): void {
		$backup = new Backup();
		$backup->runBackup(1, 'x');
		$restore = new Restore();
		$restore->FreePBX = freepbx(sys_get_temp_dir());
		$restore->configs = $backup->configs;
		$restore->runRestore();
		$this->assertSame([['routes' => ['1/' => 'no']], ['spam' => ['customcode' => '*99']]], $restore->imported);
	}

	public static function settings(): array {
		return [
			'a secret' => ["[ami]\nusername = \"u\"\nsecret = \"s3cret\"\nport = 1\n", 's3cret', 'port = 1'],
			'single quotes, spaces and a comment' => ["  password='s3cret' # mine\nx = 1\n", 's3cret', 'x = 1'],
			'several lines' => ["token = \"\"\"\ns3cret\n\"\"\"\nx = 1\n", 's3cret', 'x = 1'],
			'a key' => ["[agi]\nkey = \"s3cret\"\nx = 1", 's3cret', 'x = 1'],
			'in a file of its own' => ["secret = \"file:/etc/s\"\n", 's3cret', 'secret = "file:/etc/s"'],
		];
	}

	#[DataProvider('settings')]
	public function testNoSecretGoesIntoABackup(string $text, string $secret, string $kept): void {
		$backed_up = Backup::withoutSecrets($text);
		$this->assertStringNotContainsString($secret, $backed_up);
		$this->assertStringContainsString($kept, $backed_up);
	}

	public function testSettingsAreLaidDown(): void {
		$folder = sys_get_temp_dir() . '/callsieve-restore-' . bin2hex(random_bytes(6));
		mkdir($folder);
		$restore = new Restore();
		$restore->FreePBX = freepbx($folder);
		$restore->configs = ['settings' => "x = 1\n"];
		$restore->runRestore();
		$laid = "$folder/callsieve-restored/etc/callsieve/callsieve.toml";
		$this->assertSame(["x = 1\n", 0640], [file_get_contents($laid), fileperms($laid) & 0777]);
		exec('rm -rf ' . escapeshellarg($folder));
	}

	public static function files(): array {
		return [
			'settings' => ['/etc/callsieve', 'callsieve.toml', true],
			'a store' => ['/var/lib/callsieve/backups', 'callsieve-1.db', true],
			'elsewhere' => ['/etc/asterisk', 'manager.conf', false],
			'upwards' => ['/etc/callsieve/../asterisk', 'x', false],
			'a name with a path' => ['/etc/callsieve', '../x', false],
			'a line more' => ["/etc/callsieve\n", 'x', false],
		];
	}

	#[DataProvider('files')]
	public function testOnlyFilesOfOursAreLaidDown(string $path, string $name, bool $expected): void {
		$folder = sys_get_temp_dir() . '/callsieve-restore-' . bin2hex(random_bytes(6));
		mkdir($folder);
		file_put_contents("$folder/source", 'text');
		$restore = new Restore();
		$restore->FreePBX = freepbx($folder);
		$restore->files = [new class ($path, $name, "$folder/source") {
			public function __construct(private string $path, private string $name, private string $source) {
			}

			public function getPathTo() {
				return $this->path;
			}

			public function getFilename() {
				return $this->name;
			}

			public function getPathname() {
				return $this->source;
			}
		}];
		$restore->runRestore();
		$laid = "$folder/callsieve-restored$path/$name";
		$this->assertSame($expected, is_file($laid));
		$this->assertCount($expected ? 1 : 0, $restore->lines);
		exec('rm -rf ' . escapeshellarg($folder));
	}
}
