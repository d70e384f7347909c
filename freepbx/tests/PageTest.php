<?php
// SPDX-License-Identifier: GPL-3.0-or-later

require_once __DIR__ . '/stubs.php';
require_once __DIR__ . '/served.php';
require_once __DIR__ . '/../callsieve/Callsieve.class.php';

use FreePBX\modules\Callsieve;
use FreePBX\modules\Callsieve\Api;
use FreePBX\modules\Callsieve\Forecast;
use FreePBX\modules\Callsieve\Notices;
use FreePBX\modules\Callsieve\Page;
use FreePBX\modules\Callsieve\Program;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class PageTest extends TestCase {
	use Served;

	private const HOSTILE = '<script>alert("1")</script>\'&';
	private const CALL = ['id' => 'ABC', 'at' => '2026-11-26T22:31:09Z', 'caller' => '+12015550123', 'did' => '+442071838750', 'action' => 'allow', 'would_be' => 'reject', 'rule' => 'r', 'reason' => 'because', 'outcome' => ['disposition' => 'answered', 'answered_by' => '201']];
	private Callsieve $module;
	private array $session = ['callsieve_token' => 'secret'];

	protected function setUp(): void {
		$this->makeFolder();
		featurecode::$table = [];
		$this->module = new Callsieve(freepbx($this->folder));
		$this->module->socket = "$this->folder/api.sock";
		file_put_contents("$this->folder/callsieve", "#!/bin/sh\necho \"\$@\" >> $this->folder/commands\ncat $this->folder/said 2>/dev/null\n");
		chmod("$this->folder/callsieve", 0755);
		$this->module->program = new Program(["$this->folder/callsieve"]);
		$_SESSION = [];
	}

	protected function tearDown(): void {
		$this->stopServing();
	}

	private function press(array $post): bool {
		return (new Page($this->module))->submitted('POST', $post + ['token' => 'secret'], $this->session);
	}

	private function html(array $query = []): string {
		return $this->module->showPageWith($this->session, $query);
	}

	public static function states(): array {
		return [['on', 'success'], ['observing', 'info'], ['waiting', 'info'], ['off', 'warning'], ['emergency', 'warning'], ['failing', 'danger'], ['not-connected', 'danger'], ['down', 'danger'], ['unknown', 'danger'], ['else', 'danger']];
	}

	#[DataProvider('states')]
	public function testThePageSaysWhetherCallsAreScreened(string $state, string $colour): void {
		$this->serves(['GET /status' => [200, ['screening' => $state, 'since' => '2026-11-26T22:31:09.500000Z']]]);
		$html = $this->html();
		$this->assertStringContainsString("alert-$colour\" id=\"callsieve-state\"", $html);
		$this->assertStringContainsString(date('Y-m-d H:i', strtotime('2026-11-26T22:31:09Z')), $html);
		$this->assertSame($state === 'off', str_contains($html, 'name="do" value="on"'));
		$this->assertSame($state !== 'off', str_contains($html, 'name="do" value="off"'));
	}

	public function testTimesAreThoseOfThisPbx(): void {
		$zone = date_default_timezone_get();
		date_default_timezone_set('Asia/Shanghai');
		$this->serves(['GET /decisions' => [200, ['items' => [self::CALL]]], 'GET /status' => [200, ['screening' => 'off', 'why' => 'off since 22:31 UTC', 'since' => '2026-11-26T22:31:09Z']]]);
		$html = $this->html();
		date_default_timezone_set($zone);
		$this->assertSame(2, substr_count($html, '2026-11-27 06:31'));
		$this->assertStringNotContainsString('22:31', $html);
	}

	public function testADaemonThatDoesNotAnswerIsNoEmptyList(): void {
		file_put_contents("$this->folder/said", '{"screening": "down"}');
		$html = $this->html();
		$this->assertStringContainsString('alert-danger" id="callsieve-state"', $html);
		$this->assertStringContainsString('id="callsieve-unread"', $html);
		$this->assertStringNotContainsString('id="callsieve-none"', $html);
		$this->serves([]);
		$this->assertStringContainsString('id="callsieve-none"', $this->html());
	}

	public function testWithoutTheProgramThePageShowsTheOneLine(): void {
		$this->module->program = new Program(["$this->folder/nothing"]);
		preg_match('~<pre id="callsieve-command"[^>]*>(.*)</pre>~', $this->html(), $found);
		$this->assertSame(htmlspecialchars(Page::INSTALL), $found[1]);
	}

	public function testHostileTextIsEscaped(): void {
		$text = self::HOSTILE;
		$call = array_fill_keys(['id', 'caller', 'did', 'action', 'would_be', 'rule', 'reason', 'callee', 'at'], $text) + ['outcome' => ['disposition' => $text, 'rung' => [$text]]];
		$entry = array_fill_keys(['text', 'note', 'added_at', 'expires_at', 'action'], $text);
		$path = '/decisions/' . rawurlencode($text);
		$this->serves([
			'GET /status' => [200, ['screening' => $text, 'why' => $text, 'since' => $text, 'policy' => ['name' => $text], 'last_hour' => $text, 'trouble' => [['name' => $text, 'detail' => $text, 'remedy' => $text], $text]]],
			'GET /decisions' => [200, ['items' => [$call, ['outcome' => null], ['caller' => [1]], $text], 'next' => null]],
			"GET $path" => [200, $call],
			"GET $path/explanation" => [200, ['reason' => $text, 'because' => $text, 'witnesses' => [$text, [1]], 'since_then' => $text]],
			'GET /lists/block/entries' => [200, ['items' => [$entry, $text]]],
			'GET /people/' . rawurlencode($text) . '/settings' => [200, ['quiet' => $text, 'expects_until' => $text]],
			'GET /people/' . rawurlencode($text) . '/entries' => [200, ['items' => [['verdict' => 'block', 'number' => $text]]]],
		]);
		$this->module->setScreened($text, '', false);
		$this->module->setConfig('forecast', ['at' => $text, 'policies' => ['cautious' => ['stopped' => $text]]]);
		$_SESSION['AMP_user'] = new class {
			public string $username = "joe\r\nX: y";

			public function checkSection($section) {
				return true;
			}
		};
		foreach ([['id' => $text, 'number' => $text], ['view' => 'lists', 'list' => $text], ['view' => 'policy'], ['view' => $text]] as $query) {
			$this->session['callsieve_note'] = ['text' => $text, 'undo' => [$text], 'retry' => [$text => $text]];
			$html = $this->html($query);
			$this->assertStringNotContainsString('<script', $html);
			$this->assertStringContainsString('&lt;script&gt;alert(&quot;1&quot;)', $html);
		}
		$this->assertStringNotContainsString('<script', $this->module->extensionTab($text));
		$this->assertStringContainsString('&lt;script', $this->module->extensionTab($text));
	}

	public static function presses(): array {
		$number = '+12015550123';
		return [
			'off for an hour, with a reason' => [['do' => 'off', 'for' => '1h', 'reason' => 'audit'], ['POST /screening/off', ['for' => '1h', 'reason' => 'audit']]],
			'off for ever' => [['do' => 'off', 'for' => ''], ['POST /screening/off', ['for' => null, 'reason' => '']]],
			'off for a time that is not offered' => [['do' => 'off', 'for' => '1h; reboot'], ['POST /screening/off', ['for' => null, 'reason' => '']]],
			'on' => [['do' => 'on'], ['POST /screening/on', null]],
			'block' => [['do' => 'block', 'entry' => $number], ['POST /lists/block/entries', ['entry' => $number, 'note' => '', 'expires' => null, 'force' => false]]],
			'block all the same' => [['do' => 'block', 'entry' => $number, 'force' => 'yes'], ['POST /lists/block/entries', ['entry' => $number, 'note' => '', 'expires' => null, 'force' => true]]],
			'allow' => [['do' => 'allow', 'entry' => $number], ['POST /lists/allow/entries', ['entry' => $number, 'note' => '', 'expires' => null, 'force' => false]]],
			'add' => [['do' => 'add', 'list' => 'allow', 'entry' => '+1900*', 'note' => 'n', 'expires' => '7d'], ['POST /lists/allow/entries', ['entry' => '+1900*', 'note' => 'n', 'expires' => '7d', 'force' => false]]],
			'remove' => [['do' => 'remove', 'list' => 'block', 'entry' => '+1900*'], ['DELETE /lists/block/entries/%2B1900%2A', null]],
			'not spam' => [['do' => 'notSpam', 'entry' => $number, 'person' => '201'], ['PUT /numbers/%2B12015550123/marks/201', ['verdict' => 'ok']]],
			'undo' => [['do' => 'undo', 'changes' => '7'], ['POST /changes/7/undo', null]],
			'a policy' => [['do' => 'activate', 'policy' => 'balanced'], ['POST /policies/balanced/activate', null]],
		];
	}

	#[DataProvider('presses')]
	public function testAButtonAsksTheApiOnceInTheNameOfWhoPressed(array $post, array $expected): void {
		$this->serves([]);
		$_SESSION['AMP_user'] = (object) ['username' => 'joe'];
		$page = new Page($this->module);
		$this->assertFalse($page->submitted('POST', $post + ['token' => 'wrong'], $this->session));
		$this->assertFalse($page->submitted('POST', $post, $this->session));
		$this->assertFalse($page->submitted('GET', $post + ['token' => 'secret'], $this->session));
		$this->assertFileDoesNotExist("$this->folder/asked");
		$this->assertTrue($this->press($post));
		$this->assertSame([[...$expected, 'joe']], $this->asked());
	}

	public static function nothings(): array {
		return ['another word' => [['do' => 'perform']], 'no word' => [[]], 'another list' => [['do' => 'add', 'list' => '../users', 'entry' => '1']], 'another policy' => [['do' => 'activate', 'policy' => '../x']], 'a table' => [['do' => ['off']]]];
	}

	#[DataProvider('nothings')]
	public function testWhatIsNotOfferedDoesNothing(array $post): void {
		$this->serves([]);
		$this->press($post);
		$this->assertFileDoesNotExist("$this->folder/asked");
	}

	public function testAChangeCanBeUndoneAndARefusalInsistedOn(): void {
		$this->serves(['POST /lists/block/entries' => [201, ['change_id' => 12]]]);
		$this->press(['do' => 'block', 'entry' => '+12015550123']);
		$this->assertStringContainsString('name="changes" value="12"', $this->html());
		$this->assertStringNotContainsString('name="changes"', $this->html());

		$this->serves(['POST /lists/block/entries' => [409, ['code' => 'objections', 'detail' => 'a contact of 201']]]);
		$this->press(['do' => 'block', 'entry' => '+12015550123']);
		$html = $this->html();
		$this->assertStringContainsString('a contact of 201', $html);
		$this->assertStringContainsString('name="force" value="yes"', $html);
	}

	public function testTheSwitchWorksWhileTheApiIsDown(): void {
		$this->press(['do' => 'off', 'for' => '30m']);
		$this->press(['do' => 'on']);
		$this->assertSame("off --for 30m\non\n", file_get_contents("$this->folder/commands"));
	}

	public function testAListGoesOutAndComesInAgain(): void {
		$entries = [['text' => '+12015550123', 'note' => 'sells, "warranties"'], ['text' => '+1900*', 'note' => '=HYPERLINK("x")']];
		$this->serves(['GET /lists/block/entries' => [200, ['items' => $entries, 'next' => null]], 'POST /lists/block/entries' => [201, ['change_id' => 3]]]);
		$csv = (new Page($this->module))->csv('block');
		$this->assertStringNotContainsString(',=', $csv);
		$this->assertNull((new Page($this->module))->csv('../users'));
		$this->press(['do' => 'import', 'list' => 'block', 'lines' => $csv]);
		$sent = array_map(fn ($asked) => [$asked[1]['entry'], $asked[1]['note']], $this->asked());
		$this->assertSame([['+12015550123', 'sells, "warranties"'], ['+1900*', '=HYPERLINK("x")']], $sent);
		$this->assertStringContainsString('name="changes" value="3 3"', $this->html());
	}

	public static function addresses(): array {
		return [['https://pbx.example.org:8480/', 'https://pbx.example.org:8480/'], ['javascript:alert(1)', ''], ['https://x" onclick="y', ''], ['', '']];
	}

	#[DataProvider('addresses')]
	public function testTheConsoleIsALink(string $typed, string $linked): void {
		$this->serves([]);
		$this->press(['do' => 'console', 'address' => $typed]);
		preg_match('/id="callsieve-console" href="([^"]*)"/', $this->html(), $found);
		$this->assertSame($linked, $found[1] ?? '');
	}

	public function testTheCardsShowWhatWasCounted(): void {
		$this->serves([]);
		file_put_contents("$this->folder/said", '{"calls": 700, "stopped": 41, "probable_mistakes": {"calls": 3}}');
		$this->assertTrue($this->module->forecast());
		$this->assertSame(['calls' => 700, 'stopped' => 41, 'wrong' => 3], Forecast::stored($this->module)['policies']['strangers']);
		$this->assertStringContainsString('41', $this->html(['view' => 'policy']));
		$this->assertFalse(Forecast::isOld($this->module));
	}

	// An extension's tab

	public function testOneExtensionsSettingsAreChangedWhereTheyDiffer(): void {
		$this->serves([
			'GET /people/201/settings' => [200, ['quiet' => false, 'whispers' => true, 'expects_until' => null]],
			'GET /people/201/entries' => [200, ['items' => [['verdict' => 'block', 'number' => '+12015550123'], ['verdict' => 'allow', 'number' => '+12015550124']]]],
			'PATCH /people/201/settings' => [200, []],
		]);
		$form = ['callsieve_quiet' => 'no', 'callsieve_whispers' => 'no', 'callsieve_expects' => 'no', 'callsieve_block' => "+12015550125\r\n", 'callsieve_allow' => '+12015550124'];
		$this->module->extensionSaved('201', $form);
		$this->assertSame([['PATCH /people/201/settings', ['whispers' => false], '']], $this->asked());
		$this->assertStringNotContainsString('+12015550123', $this->module->extensionTab('201'));
		$_SESSION['AMP_user'] = new class {
			public string $username = 'joe';

			public function checkSection($section) {
				return $section === 'callsieve';
			}
		};
		$this->assertStringContainsString('+12015550123', $this->module->extensionTab('201'));
		$this->module->extensionSaved('201', $form);
		$this->assertSame(['DELETE /people/201/entries/%2B12015550123', 'PUT /people/201/entries/%2B12015550125'], array_column(array_slice($this->asked(), 2), 0));
		$this->assertSame('', $this->module->extensionTab('999'));
	}

	// Notifications and the dashboard

	public static function troubles(): array {
		$day = 86400;
		return [
			'all is well' => [['screening' => 'on'], 0, []],
			'not installed' => [null, 0, [Notices::MISSING]],
			'nobody answers' => [[], 0, [Notices::DOWN]],
			'down' => [['screening' => 'down'], 0, [Notices::DOWN]],
			'nothing is screened' => [['screening' => 'not-connected'], 0, [Notices::NOTHING]],
			'off on purpose' => [['screening' => 'off'], 0, []],
			'observing for a week' => [['screening' => 'observing'], 7 * $day, []],
			'observing for long' => [['screening' => 'observing'], 15 * $day, [Notices::OBSERVING]],
			'prompts and feeds' => [['screening' => 'on', 'trouble' => [['name' => 'prompts'], ['name' => 'feeds'], ['name' => 'backup']]], 0, [Notices::PROMPTS, Notices::FEEDS]],
		];
	}

	#[DataProvider('troubles')]
	public function testNotificationsComeAndGo(?array $status, int $observed, array $expected): void {
		$notifications = $this->module->FreePBX->Notifications;
		$notices = new Notices($notifications);
		$now = 1_800_000_000;
		foreach (Notices::ALL as $id) {
			$notifications->add_error('callsieve', $id, 'earlier');
		}
		$notices->update($status, $observed ? $now - $observed : 0, $now);
		$this->assertSame(array_map(fn ($id) => "callsieve/$id", $expected), array_keys($notifications->errors));
		$notices->update(['screening' => 'on'], 0, $now);
		$this->assertSame([], $notifications->errors);
	}

	public function testHowLongItObservesIsRemembered(): void {
		$this->serves(['GET /status' => [200, ['screening' => 'observing']]]);
		$this->module->setConfig('forecast', ['at' => time(), 'policies' => []]);
		$this->module->watch();
		$this->assertSame([], $this->module->FreePBX->Notifications->errors);
		$this->module->setConfig('observing', time() - 15 * 86400);
		$this->module->watch();
		$this->assertSame(['callsieve/OBSERVING'], array_keys($this->module->FreePBX->Notifications->errors));
		$this->serves(['GET /status' => [200, ['screening' => 'on']]]);
		$this->module->watch();
		$this->assertSame([[], false], [$this->module->FreePBX->Notifications->errors, $this->module->getConfig('observing')]);
	}

	public function testTheDashboardShowsTheStateAndNoNumber(): void {
		$this->serves(['GET /status' => [200, ['screening' => 'down', 'last_call' => ['caller' => '+12015550123']]]]);
		$service = $this->module->dashboardService()[0];
		$this->assertSame(['CallSieve', 'error'], [$service['title'], $service['type']]);
		$this->assertStringNotContainsString('2015550123', json_encode($service));
	}

	// The API's answers

	public static function oddities(): array {
		return ['no JSON' => [200, 'x'], 'a word' => [200, '"x"'], 'an error without words' => [500, ''], 'an error' => [422, ['detail' => 'bad', 'code' => 'bad-entry']]];
	}

	#[DataProvider('oddities')]
	public function testOddAnswersAreNoErrors(int $status, mixed $data): void {
		$this->serves(['GET /x' => [$status, $data]]);
		$answer = (new Api('', $this->module->socket))->get('/x');
		$this->assertSame($status, $answer['status']);
		$this->assertSame($status >= 300, $answer['error'] !== '');
	}

	public function testAnApiThatHangsIsGivenUp(): void {
		$server = stream_socket_server('unix://' . $this->module->socket);
		$began = microtime(true);
		$this->assertSame(0, (new Api('', $this->module->socket, 0.3))->get('/status')['status']);
		$this->assertLessThan(3.0, microtime(true) - $began);
		fclose($server);
	}

	public function testTheTabOfAnExtensionHasAName(): void {
		defined('FREEPBX_IS_AUTH') || define('FREEPBX_IS_AUTH', true);
		require_once __DIR__ . '/../callsieve/functions.inc.php';
		$this->serves(['GET /people/201/settings' => [200, ['whispers' => true]]]);
		FreePBX::$module = $this->module;
		$GLOBALS['currentcomponent'] = new component();
		$_REQUEST['extdisplay'] = '201';
		callsieve_configpageload();
		$this->assertSame(['CallSieve'], array_keys($GLOBALS['currentcomponent']->shown()));
		unset($_REQUEST['extdisplay'], $GLOBALS['currentcomponent']);
	}
}
