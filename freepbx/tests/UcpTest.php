<?php
// SPDX-License-Identifier: GPL-3.0-or-later

require_once __DIR__ . '/stubs.php';
require_once __DIR__ . '/served.php';
require_once __DIR__ . '/../callsieve/Callsieve.class.php';
require_once __DIR__ . '/../callsieve/ucp/Callsieve.class.php';

use FreePBX\modules\Callsieve;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use UCP\Modules;

/** A user's own calls and lists in UCP: nothing of others is shown or changed. */
final class UcpTest extends TestCase {
	use Served;

	private const USER = ['id' => 7, 'username' => 'ann', 'default_extension' => '201'];
	private const ALLOWED = ['Settings/assigned' => ['201', '202']];
	private const HEALTHY = [
		'GET /people/201/settings' => [200, ['quiet' => true, 'whispers' => false]],
		'GET /people/201/entries' => [200, ['items' => [['number' => '+12015550123', 'verdict' => 'block']]]],
		'GET /decisions' => [200, ['items' => [['id' => 'A', 'at' => '2026-11-26T22:31:09Z', 'caller' => '+12015550199', 'action' => 'tag', 'would_be' => 'tag', 'reason' => '<b>']]]],
	];
	private Callsieve $module;

	protected function setUp(): void {
		$this->makeFolder();
		$this->module = new Callsieve(freepbx($this->folder));
		$this->module->socket = "$this->folder/api.sock";
		$_POST = $_SESSION = [];
		$_SERVER['HTTP_X_REQUESTED_WITH'] = 'XMLHttpRequest';
	}

	protected function tearDown(): void {
		unset($_SERVER['HTTP_X_REQUESTED_WITH']);
		$this->stopServing();
	}

	private function panel(array $user = self::USER, array $settings = self::ALLOWED): \UCP\Modules\Callsieve {
		return new \UCP\Modules\Callsieve(Modules::panel($this->module, $user, $settings));
	}

	public static function users(): array {
		return [
			'own extension' => [self::USER, self::ALLOWED, ['201']],
			'numbers from the database' => [self::USER, ['Settings/assigned' => [201]], ['201']],
			'allowed' => [self::USER, self::ALLOWED + ['Callsieve/enable' => 'yes'], ['201']],
			'not allowed' => [self::USER, self::ALLOWED + ['Callsieve/enable' => 'no'], []],
			'extension not assigned' => [self::USER, ['Settings/assigned' => ['202']], []],
			'nothing assigned' => [self::USER, [], []],
			'no extension' => [['default_extension' => 'none'] + self::USER, self::ALLOWED, []],
			'not logged in' => [[], self::ALLOWED, []],
		];
	}

	#[DataProvider('users')]
	public function testOnlyTheOwnExtensionIsThere(array $user, array $settings, array $shown): void {
		$widgets = $this->panel($user, $settings)->getWidgetList();
		$this->assertSame($shown, array_map('strval', array_keys($widgets['list'] ?? [])));
		$_POST['ext'] = '201';
		$this->assertSame($shown !== [], $this->panel($user, $settings)->ajaxRequest('change', []));
		$this->assertSame($shown === [], $this->panel($user, $settings)->getWidgetDisplay('201') === []);
	}

	public function testNobodyElsesIsShownOrChanged(): void {
		$this->serves(self::HEALTHY);
		$panel = $this->panel();
		$this->assertSame([], $panel->getWidgetDisplay('202'));
		foreach (['202', '', ['201'], null] as $extension) {
			$_POST['ext'] = $extension;
			$this->assertFalse($panel->ajaxRequest('change', []));
		}
		$_POST['ext'] = '201';
		$this->assertFalse($panel->ajaxRequest('other', []));
		unset($_SERVER['HTTP_X_REQUESTED_WITH']);
		$this->assertFalse($panel->ajaxRequest('change', []));
	}

	public function testItShowsSettingsListsAndCalls(): void {
		$this->serves(self::HEALTHY);
		$panel = $this->panel();
		$html = $panel->getWidgetDisplay('201')['html'];
		$this->assertMatchesRegularExpression('~value="quiet">\s*<button[^>]*value="no" aria-pressed="true"~', $html);
		$this->assertMatchesRegularExpression('~value="whispers">\s*<button[^>]*value="yes" aria-pressed="false"~', $html);
		$this->assertStringContainsString('+12015550123', $html);
		$this->assertStringContainsString('+12015550199', $html);
		$this->assertStringContainsString('&lt;b&gt;', $html);
		$this->assertSame(['ucp'], $panel->UCP->Modgettext->domains);
		$this->assertContains('/decisions?callee=201&limit=20', $this->addresses());
	}

	public static function buttons(): array {
		return [
			'setting' => [['do' => 'set', 'setting' => 'quiet', 'on' => 'no'], ['PATCH /people/201/settings', ['quiet' => false]]],
			'never' => [['do' => 'block', 'number' => '+12015550199'], ['PUT /people/201/entries/%2B12015550199', ['list_name' => 'block']]],
			'always' => [['do' => 'allow', 'number' => '../../x'], ['PUT /people/201/entries/..%2F..%2Fx', ['list_name' => 'allow']]],
			'off the list' => [['do' => 'remove', 'number' => '+12015550123'], ['DELETE /people/201/entries/%2B12015550123', null]],
			'not spam' => [['do' => 'notSpam', 'number' => '+12015550199'], ['PUT /numbers/%2B12015550199/marks/201', ['verdict' => 'ok']]],
		];
	}

	#[DataProvider('buttons')]
	public function testAButtonIsOneRequestInTheUsersName(array $form, array $request): void {
		$this->serves(self::HEALTHY + [$request[0] => [200, []]]);
		$_POST = $form + ['ext' => '201'];
		$answer = $this->panel()->ajaxHandler();
		$this->assertSame([[...$request, 'ucp:ann']], $this->asked());
		$this->assertTrue($answer['status']);
		$this->assertStringContainsString('callsieve-own', $answer['html']);
	}

	public function testWhatIsNoButtonDoesNothing(): void {
		$this->serves(self::HEALTHY);
		foreach ([[], ['do' => 'save'], ['do' => 'html'], ['do' => 'set', 'setting' => 'role'], ['do' => ['block']]] as $form) {
			$_POST = $form + ['ext' => '201', 'number' => '+12015550199'];
			$this->panel()->ajaxHandler();
		}
		$this->assertSame([], $this->asked());
	}

	public function testARefusalIsSaid(): void {
		$this->serves(self::HEALTHY + ['PUT /people/201/entries/x' => [422, ['detail' => 'not a number', 'code' => 'no']]]);
		$_POST = ['do' => 'block', 'number' => 'x', 'ext' => '201'];
		$answer = $this->panel()->ajaxHandler();
		$this->assertSame([false, 'not a number'], [$answer['status'], $answer['message']]);
	}

	public function testWithoutTheApiThePageStays(): void {
		$html = $this->panel()->getWidgetDisplay('201')['html'];
		$this->assertStringContainsString('alert-warning', $html);
	}

	public static function answers(): array {
		return ['yes' => ['yes', 'yes'], 'no' => ['no', 'no'], 'of the groups' => ['inherit', null]];
	}

	#[DataProvider('answers')]
	public function testUserManagementDecidesWhoHasIt(string $answer, ?string $stored): void {
		$ucp = new class {
			public array $saved = [];

			public function setSettingByID($id, $module, $setting, $value) {
				$this->saved[] = ['user', $id, $module, $setting, $value];
			}

			public function setSettingByGID($id, $module, $setting, $value) {
				$this->saved[] = ['group', $id, $module, $setting, $value];
			}

			public function getSettingByID($id, $module, $setting) {
				return end($this->saved)[4] ?? null;
			}
		};
		$this->module->FreePBX->Ucp = $ucp;
		$_POST = ['type' => 'user', 'callsieve_ucp' => $answer];
		$this->module->ucpUserSaved(7, 'userman', true, []);
		$this->module->ucpUserSaved(7, 'extensions', true, []);
		$this->module->ucpGroupSaved(8, 'userman', []);
		$this->assertSame([['user', 7, 'Callsieve', 'enable', $stored]], $ucp->saved);
		[$page] = $this->module->ucpConfigPage('user', ['id' => 7], 'showuser');
		$this->assertMatchesRegularExpression("~value=\"$answer\" checked~", $page['content']);
		$_POST = ['type' => 'group', 'callsieve_ucp' => 'no'];
		$this->module->ucpGroupSaved(8, 'userman', []);
		$this->assertSame(['group', 8, 'Callsieve', 'enable', 'no'], end($ucp->saved));
	}

	public function testANewUserHasWhatTheGroupsSay(): void {
		[$page] = $this->module->ucpConfigPage('user', [], 'adduser');
		$this->assertMatchesRegularExpression('~value="inherit" checked~', $page['content']);
		[$page] = $this->module->ucpConfigPage('group', [], 'addgroup');
		$this->assertMatchesRegularExpression('~value="yes" checked~', $page['content']);
	}
}
