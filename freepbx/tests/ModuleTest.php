<?php
// SPDX-License-Identifier: GPL-3.0-or-later

require_once __DIR__ . '/stubs.php';
require_once __DIR__ . '/../callsieve/Callsieve.class.php';

use FreePBX\modules\Callsieve;
use FreePBX\modules\Callsieve\Codes;
use FreePBX\modules\Callsieve\Program;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class ModuleTest extends TestCase {
	/** A route that FreePBX cannot splice into: its label is its first step. */
	private const BROKEN = "[macro-auto-blkvm]\nexten => s,1,Set(x=)\nsame => n,Return()\n[ext-did-0002]\nexten => 1,1(callerid),Noop()\nsame => n(did-cid-hook),Noop()\n";
	private Callsieve $module;
	private string $folder;

	protected function setUp(): void {
		$this->folder = sys_get_temp_dir() . '/callsieve-module-' . bin2hex(random_bytes(6));
		mkdir($this->folder);
		featurecode::$table = [];
		$this->module = new Callsieve(freepbx($this->folder));
		$this->says('');
	}

	protected function tearDown(): void {
		array_map('unlink', glob("$this->folder/*"));
		rmdir($this->folder);
	}

	/** A command `callsieve` that runs these lines of shell. */
	private function says(string $script, float $seconds = 5.0, int $bytes = 1 << 20): Program {
		file_put_contents("$this->folder/callsieve", "#!/bin/sh\n$script\n");
		chmod("$this->folder/callsieve", 0755);
		return $this->module->program = new Program(["$this->folder/callsieve"], $seconds, $bytes);
	}

	// The command

	public function testACommandIsRunWithoutAShell(): void {
		$done = $this->says('printf "%s|" "$@"; echo trouble >&2; exit 3')->run('off', '--for', '1h; $(id) `id`');
		$this->assertSame(['code' => 3, 'output' => 'off|--for|1h; $(id) `id`|', 'error' => "trouble\n"], $done);
	}

	public static function unusable(): array {
		return [
			'it never ends' => ['sleep 20', 0.3, 1000],
			'it says too much' => ['head -c 100000 /dev/zero', 5.0, 1000],
		];
	}

	#[DataProvider('unusable')]
	public function testACommandIsBounded(string $script, float $seconds, int $bytes): void {
		$this->assertNull($this->says($script, $seconds, $bytes)->run('status')['code']);
	}

	public function testAPhpThatMayStartNothingIsNoError(): void {
		$code = '(require $argv[1]) && $done = (new FreePBX\\modules\\Callsieve\\Program([$argv[2]]))->run("status"); echo json_encode($done["code"]);';
		exec(implode(' ', array_map('escapeshellarg', [
			PHP_BINARY, '-n', '-d', 'disable_functions=proc_open', '-r', $code, __DIR__ . '/../callsieve/Program.php', "$this->folder/callsieve",
		])), $output);
		$this->assertSame(['null'], $output);
	}

	public function testACommandThatIsNotThereIsNoError(): void {
		$program = new Program(["$this->folder/nothing"]);
		$this->assertSame([null, null, false], [$program->run('status')['code'], $program->json('status'), $program->start('status')]);
	}

	public function testJsonCountsWhateverTheExitCode(): void {
		$this->assertSame(['screening' => 'off'], $this->says('echo \'{"screening": "off"}\'; exit 1')->json('status'));
		$this->assertNull($this->says('echo "{"')->json('status'));
	}

	public function testTheBackgroundIsNotWaitedFor(): void {
		$this->says("echo began; echo done > $this->folder/mark.new && mv $this->folder/mark.new $this->folder/mark; sleep 3 >/dev/null");
		$began = microtime(true);
		$this->module->synchronise();
		$took = microtime(true) - $began;
		for ($tries = 0; $tries < 500 && !file_exists("$this->folder/mark"); $tries++) {
			usleep(10000);
		}
		$this->assertFileExists("$this->folder/mark");
		$this->assertLessThan(3.0, $took);
	}

	public function testNothingIsWrittenThroughALinkInTheLogDirectory(): void {
		file_put_contents("$this->folder/precious", 'precious');
		symlink("$this->folder/precious", "$this->folder/callsieve-people.log");
		$this->testTheBackgroundIsNotWaitedFor();
		$this->assertSame('precious', file_get_contents("$this->folder/precious"));
	}

	// What FreePBX sets at `fwconsole chown`

	public function testTheSecretOfOurManagerUserStaysClosed(): void {
		$this->assertSame([], $this->module->chownFreepbx());
		mkdir("$this->folder/manager.d");
		$secret = "$this->folder/manager.d/callsieve.conf";
		touch($secret);
		try {
			$this->assertSame([['type' => 'file', 'path' => $secret, 'perms' => 0640]], $this->module->chownFreepbx());
		} finally {
			unlink($secret);
			rmdir("$this->folder/manager.d");
		}
	}

	// Routes

	public static function saved(): array {
		$add = ['action' => 'addIncoming', 'extension' => '1', 'cidnum' => ''];
		$edit = ['action' => 'edtIncoming', 'extdisplay' => '1/', 'extension' => '1', 'cidnum' => ''];
		return [
			'a new one, no' => [[$add + ['callsieve_screen' => 'no']], ['1/']],
			'a new one, yes' => [[$add + ['callsieve_screen' => 'yes']], []],
			'a new one without an answer' => [[$add], []],
			'it gets another DID' => [[$add + ['callsieve_screen' => 'no'], ['extension' => '2'] + $edit + ['callsieve_screen' => 'no']], ['2/']],
			'edited without an answer' => [[$add + ['callsieve_screen' => 'no'], ['extension' => '3'] + $edit], ['3/']],
			'a change of mind' => [[$add + ['callsieve_screen' => 'no'], $edit + ['callsieve_screen' => 'yes']], []],
			'deleted' => [[$add + ['callsieve_screen' => 'no'], ['action' => 'delIncoming', 'extdisplay' => '1/']], []],
			'another one deleted' => [[$add + ['callsieve_screen' => 'no'], ['action' => 'delIncoming', 'extdisplay' => '2/']], ['1/']],
			'of a caller' => [[['extension' => ' ', 'cidnum' => '<12015550100>'] + $add + ['callsieve_screen' => 'no']], ['/12015550100']],
			'any call' => [[['extension' => ''] + $add + ['callsieve_screen' => 'no']], ['/']],
			'another page' => [[['action' => 'edit', 'extdisplay' => '201', 'callsieve_screen' => 'no']], []],
		];
	}

	#[DataProvider('saved')]
	public function testTheAnswerOfARouteStays(array $requests, array $expected): void {
		array_map([$this->module, 'routeSaved'], $requests);
		$this->assertSame($expected, $this->module->unscreened());
	}

	public static function questions(): array {
		return ['left out' => ['1/', 'no'], 'any call, left out' => ['/', 'no'], 'another' => ['2/', 'yes'], 'a new one' => ['', 'yes']];
	}

	#[DataProvider('questions')]
	public function testTheFormShowsTheAnswer(string $route, string $expected): void {
		$this->module->setScreened('1', '', false);
		$this->module->setScreened('', '', false);
		preg_match('/value="(\w+)" checked/', $this->module->routeQuestion($route), $found);
		$this->assertSame($expected, $found[1]);
	}

	// The dialplan

	public function testTheHookComesAfterLookups(): void {
		$this->assertGreaterThan(600, Callsieve::myDialplanHooks());
	}

	public function testAnErrorLeavesTheDialplanAsItWas(): void {
		$ext = extensions::read(self::BROKEN);
		$before = $ext->generateConf();
		$this->module->doDialplanHook($ext, 'asterisk', 950);
		$this->assertSame($before, $ext->generateConf());
		$this->assertCount(1, $this->module->FreePBX->Notifications->errors);
	}

	public function testTheNotificationGoesWithTheTrouble(): void {
		$broken = extensions::read(self::BROKEN);
		$this->module->doDialplanHook($broken, 'asterisk', 950);
		$this->assertArrayHasKey('callsieve/DIALPLAN', $this->module->FreePBX->Notifications->errors);
		$ext = extensions::read("[ext-did-0002]\nexten => 1,1,Noop()\nsame => n(callerid),Noop()\nsame => n(did-cid-hook),Noop()\n");
		$this->module->doDialplanHook($ext, 'asterisk', 950);
		$this->assertSame([], $this->module->FreePBX->Notifications->errors);
	}

	public function testAReloadGoesOnWhereNobodyCanBeTold(): void {
		$this->module->FreePBX->Notifications->broken = true;
		$ext = extensions::read(self::BROKEN);
		$before = $ext->generateConf();
		$this->module->doDialplanHook($ext, 'asterisk', 950);
		$this->assertSame($before, $ext->generateConf());
	}

	public function testAReloadHasTheRoutesAndTheCodes(): void {
		$this->module->install();
		$this->module->setScreened('2', '', false);
		$route = "exten => %s,1,Noop()\nsame => n(callerid),Noop()\nsame => n(did-cid-hook),Noop()\n";
		$ext = extensions::read("[ext-did-0002]\n" . sprintf($route, '1') . sprintf($route, '2'));
		$this->module->doDialplanHook($ext, 'asterisk', 950);
		$this->assertSame([6, 3], [count($ext->_exts['ext-did-0002'][' 1 ']), count($ext->_exts['ext-did-0002'][' 2 '])]);
		$this->assertCount(10, $ext->_exts['app-callsieve-codes']);
		$this->assertSame([], $this->module->FreePBX->Notifications->errors);
	}

	// Feature codes

	public function testACodeOfAnotherModuleStaysItsOwn(): void {
		featurecode::$table = [
			'dictate/dodictate' => ['default' => '*34', 'code' => '', 'enabled' => true],
			'recordings/edit' => ['default' => '*88', 'code' => '*36', 'enabled' => true],
			'other/off' => ['default' => '*38', 'code' => '', 'enabled' => false],
		];
		$this->module->install();
		$this->assertSame(['block', 'explain'], array_values(array_diff(array_keys(Callsieve\Dialplan::WORDS), array_keys(Codes::active()))));
		$this->assertSame(['*34', '*36'], array_keys(Codes::clashes()));
	}

	public function testAnUpgradeKeepsWhatSomebodyHasSet(): void {
		$this->module->install();
		featurecode::$table['callsieve/spam']['code'] = '*99';
		featurecode::$table['callsieve/ok']['enabled'] = false;
		$this->module->install();
		$this->assertSame('*99', Codes::active()['spam']);
		$this->assertArrayNotHasKey('ok', Codes::active());
		$this->module->uninstall();
		$this->assertSame([], Codes::active());
	}

	public function testUninstallingKeepsTheAnswersOfRoutesAndNothingElse(): void {
		$this->module->install();
		$this->assertSame(['callsieve/watch'], array_keys($this->module->FreePBX->Job->jobs));
		$this->module->setScreened('1', '', false);
		$this->module->uninstall();
		$this->assertSame([], $this->module->FreePBX->Job->jobs);
		$this->module->install();
		$this->assertSame(['1/'], $this->module->unscreened());
	}

	// FreePBX's search

	public static function searches(): array {
		return ['spam' => ['spam', 1], 'robocalls' => ['Robocalls', 1], 'part of a word' => ['scree', 1], 'trunks' => ['trunks', 0], 'nothing' => ['', 0]];
	}

	#[DataProvider('searches')]
	public function testTheSearchFindsThePageByWhatPeopleLookFor(string $query, int $found): void {
		$results = [];
		$this->module->search($query, $results);
		$this->assertCount($found, $results);
	}

	/** The voicemail of a DID is not offered: who rings is decided by then, and the call has no box of its own. */
	public function testTheOnlyDestinationIsReject(): void {
		defined('FREEPBX_IS_AUTH') || define('FREEPBX_IS_AUTH', true);
		require_once __DIR__ . '/../callsieve/functions.inc.php';
		FreePBX::$module = $this->module;
		$this->assertSame(['app-callsieve,reject,1'], array_column(callsieve_destinations(), 'destination'));
		$this->assertSame([], callsieve_getdestinfo('app-callsieve,voicemail,1'));
	}
}
