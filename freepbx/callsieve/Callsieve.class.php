<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules;

foreach (['Actions', 'Api', 'Codes', 'Dialplan', 'Forecast', 'Notices', 'Page', 'Phone', 'Program', 'Words'] as $name) {
	require_once __DIR__ . "/$name.php";
}

use FreePBX\modules\Callsieve\Api;
use FreePBX\modules\Callsieve\Codes;
use FreePBX\modules\Callsieve\Dialplan;
use FreePBX\modules\Callsieve\Forecast;
use FreePBX\modules\Callsieve\Notices;
use FreePBX\modules\Callsieve\Page;
use FreePBX\modules\Callsieve\Phone;
use FreePBX\modules\Callsieve\Program;
use FreePBX\modules\Callsieve\Words;

/** What FreePBX calls. What is decided about a call is decided by CallSieve's daemon: nothing here is on a call's way. */
class Callsieve extends \FreePBX_Helpers implements \BMO {
	/** Settings of ours: routes that are not screened, "DID/caller" => "no". A route that is not here is screened. */
	public const ROUTES = 'routes';
	/** After all other modules: blacklist and name lookups are at 500 to 600. */
	private const PRIORITY = 950;
	/** What people type into FreePBX's search who do not know our name. */
	private const SEARCHED = ['callsieve', 'spam', 'robocall', 'telemarketer', 'block', 'blacklist', 'allow', 'screening', 'whisper', '骚扰', '拦截'];

	public Program $program;
	public ?string $socket = null;
	public $FreePBX;

	public function __construct($freepbx = null) {
		if ($freepbx === null) {
			throw new \RuntimeException('Not given a FreePBX object');
		}
		$this->FreePBX = $freepbx;
		$this->program = new Program();
	}

	public function install() {
		Codes::register();
		$this->FreePBX->Job->addClass('callsieve', 'watch', 'FreePBX\\modules\\Callsieve\\Job', '*/5 * * * *');
	}

	/** The answers of inbound routes stay: whoever installs the module again would else screen fax, alarms and lifts. */
	public function uninstall() {
		Codes::remove();
		$this->FreePBX->Job->remove('callsieve', 'watch');
		foreach ([...Notices::ALL, 'DIALPLAN'] as $id) {
			$this->FreePBX->Notifications->delete('callsieve', $id);
		}
		if (function_exists('out')) {
			out(_('These stay: the answers "No" of inbound routes, in the table kvstore_FreePBX_modules_Callsieve; the program, its data and its spoken prompts. As root, "callsieve setup --undo" removes the files for Asterisk and the prompts, and says what else there is.'));
		}
	}

	/** In the name of the FreePBX user who is logged in, for CallSieve's audit. */
	public function api(): Api {
		$user = $_SESSION['AMP_user'] ?? null;
		$person = is_object($user) && is_string($user->username ?? null) ? $user->username : '';
		return new Api($person, $this->socket ?? Api::SOCKET);
	}

	/** Every few minutes: the notifications, and once a day the figures of the policies. */
	public function watch(): void {
		$installed = $this->program->path() !== '';
		$status = $installed ? (new Page($this))->status()['data'] : null;
		$now = time();
		$this->setConfig('observing', ($status['screening'] ?? '') === 'observing' ? ($this->getConfig('observing') ?: $now) : false);
		(new Notices($this->FreePBX->Notifications))->update($status, (int) $this->getConfig('observing'), $now);
		if ($installed && Forecast::isOld($this)) {
			$this->startForecast();
		}
	}

	public function forecast(): bool {
		return Forecast::count($this, new Program([$this->program->path()], 120.0));
	}

	/** In the background, for whoever does not want to wait until tomorrow. */
	public function startForecast(): bool {
		$fwconsole = $this->FreePBX->Config->get('AMPSBIN') . '/fwconsole';
		return (new Program([$fwconsole]))->start('callsieve', 'forecast');
	}

	/** FreePBX's dashboard, among its services. No numbers: whoever sees the dashboard need not see our page. */
	public function dashboardService(): array {
		$status = $this->program->path() === '' ? [] : (new Page($this))->status()['data'];
		[$headline, $colour] = Words::state((string) ($status['screening'] ?? 'down'));
		$type = ['success' => 'ok', 'info' => 'info', 'warning' => 'warning'][$colour] ?? 'error';
		return [['title' => 'CallSieve', 'order' => 4] + $this->FreePBX->Dashboard->genStatusIcon($type, $headline)];
	}

	/** FreePBX's search: by our name, and by what people look for who do not know it. */
	public function search($query, &$results) {
		$query = mb_strtolower(trim((string) $query));
		$fits = array_filter(self::SEARCHED, fn ($word) => $query !== '' && (str_contains($word, $query) || str_contains($query, $word)));
		if ($fits) {
			$results[] = ['text' => _('CallSieve: calls, block and allow lists, policy'), 'type' => 'get', 'dest' => '?display=callsieve', 'force' => true];
		}
	}

	public static function myDialplanHooks() {
		return self::PRIORITY;
	}

	/** An error of ours leaves the dialplan as it was: a reload must not fail, or be half ours, because of it. */
	public function doDialplanHook(&$ext, $engine, $priority) {
		$before = get_object_vars($ext);
		$trouble = '';
		try {
			Dialplan::add($ext, $this->unscreened(), Codes::active());
		} catch (\Throwable $error) {
			foreach ($before as $name => $value) {
				$ext->$name = $value;
			}
			$trouble = $error->getMessage();
		}
		$this->notify($trouble);
	}

	/** @return string[] routes that are not screened */
	public function unscreened(): array {
		return array_map('strval', array_keys(array_filter((array) $this->getAll(self::ROUTES), fn ($answer) => $answer === 'no')));
	}

	public function isScreened(string $did, string $caller): bool {
		return $this->getConfig(self::routeKey($did, $caller), self::ROUTES) !== 'no';
	}

	/** The question in the form of a route, "DID/caller"; a new one has no name yet, and is screened. */
	public function routeQuestion(string $route): string {
		[$did, $caller] = explode('/', $route, 2) + ['', ''];
		return Page::routeHtml(!str_contains($route, '/') || $this->isScreened($did, $caller));
	}

	/**
	 * What the form of an inbound route was sent with. A new DID or caller takes the answer along.
	 *
	 * @param array $request `action`, `extension`, `cidnum`, `extdisplay` (the route as it was) and `callsieve_screen`
	 */
	public function routeSaved(array $request): void {
		$action = $request['action'] ?? '';
		[$did, $caller] = explode('/', (string) ($request['extdisplay'] ?? ''), 2) + ['', ''];
		if (in_array($action, ['delIncoming', 'edtIncoming'], true)) {
			$was = $this->isScreened($did, $caller);
			$this->setScreened($did, $caller, true);
		}
		if (in_array($action, ['addIncoming', 'edtIncoming'], true)) {
			$screen = isset($request['callsieve_screen']) ? $request['callsieve_screen'] !== 'no' : $was ?? true;
			$this->setScreened((string) ($request['extension'] ?? ''), (string) ($request['cidnum'] ?? ''), $screen);
		}
	}

	public function setScreened(string $did, string $caller, bool $screen): void {
		$this->setConfig(self::routeKey($did, $caller), $screen ? false : 'no', self::ROUTES);
	}

	/** As FreePBX stores both parts of a route. */
	private static function routeKey(string $did, string $caller): string {
		return trim(str_replace(['<', '>'], '', $did)) . '/' . trim(str_replace(['<', '>'], '', $caller));
	}

	/**
	 * After each reload: people, DIDs, trunks and groups, read by CallSieve itself from the running PBX.
	 *
	 * Only root may write what CallSieve knows. After a reload in the browser, which Asterisk's user does, the systemd unit
	 * callsieve-people.path starts the same.
	 */
	public function afterReload() {
		if (function_exists('posix_geteuid') && posix_geteuid() === 0) {
			$this->synchronise();
		}
	}

	public function synchronise(): bool {
		return $this->program->start('import', 'people', '--from', 'freepbx', '--yes');
	}

	/**
	 * What FreePBX asks at each `fwconsole chown`, which opens all below Asterisk's configuration to everybody: the secret of
	 * our manager user stays closed to others.
	 *
	 * @return array[] in FreePBX's form: type, path, permissions
	 */
	public function chownFreepbx(): array {
		$secret = $this->FreePBX->Config->get('ASTETCDIR') . '/manager.d/callsieve.conf';
		return is_file($secret) ? [['type' => 'file', 'path' => $secret, 'perms' => 0640]] : [];
	}

	public function doConfigPageInit($page) {
		if ($page !== 'callsieve') {
			return;
		}
		$shown = new Page($this);
		if ($shown->submitted($_SERVER['REQUEST_METHOD'] ?? '', $_POST, $_SESSION)) {
			header('Location: config.php?' . http_build_query(['display' => 'callsieve'] + array_intersect_key($_GET, ['view' => 1, 'list' => 1, 'number' => 1])), true, 303);
			exit;
		}
		$csv = isset($_GET['csv']) ? $shown->csv((string) $_GET['csv']) : null;
		if ($csv !== null) {
			header('Content-Type: text/csv; charset=utf-8');
			header('Content-Disposition: attachment; filename="callsieve.csv"');
			echo $csv;
			exit;
		}
	}

	public function showPage(): string {
		return $this->showPageWith($_SESSION, $_GET);
	}

	public function showPageWith(array &$session, array $query = []): string {
		return (new Page($this))->html($session, $query);
	}

	/** The tab of an extension; '' where CallSieve does not answer or does not know it. */
	public function extensionTab(string $extension): string {
		$phone = new Phone($this->api(), $extension);
		$settings = $phone->settings();
		return $settings === null ? '' : Page::rendered('phone', ['settings' => $settings, 'numbers' => self::maySeeNumbers() ? $phone->numbers() : null]);
	}

	public function extensionSaved(string $extension, array $form): void {
		$refused = (new Phone($this->api(), $extension))->save($form, self::maySeeNumbers());
		if ($refused !== '') {
			$this->FreePBX->Notifications->add_notice('callsieve', "PHONE_$extension", _('CallSieve: some changes of an extension were not saved'), htmlspecialchars($refused));
		}
	}

	/** The phone of a user of UCP, whose own extension this is. */
	public function ownPhone(string $username, string $extension): Phone {
		return new Phone(new Api("ucp:$username", $this->socket ?? Api::SOCKET), $extension);
	}

	/** User Management, a user or a group, UCP: whether they see their calls and lists there. */
	public function ucpConfigPage($mode, $user, $action): array {
		$id = $user['id'] ?? null;
		$answers = ['yes' => _('Yes'), 'no' => _('No')] + ($mode === 'user' ? ['inherit' => _('Inherit')] : []);
		$stored = $id === null ? null : ($mode === 'user' ? $this->FreePBX->Ucp->getSettingByID($id, 'Callsieve', 'enable') : $this->FreePBX->Ucp->getSettingByGID($id, 'Callsieve', 'enable'));
		$enabled = isset($answers[$stored ?: '']) ? $stored : ($mode === 'user' ? 'inherit' : 'yes');
		return [['title' => 'CallSieve', 'rawname' => 'callsieve', 'content' => Page::rendered('ucp', ['enabled' => $enabled, 'answers' => $answers])]];
	}

	public function ucpUserSaved($id, $display): void {
		$this->saveUcp($display, 'user', fn ($answer) => $this->FreePBX->Ucp->setSettingByID($id, 'Callsieve', 'enable', $answer));
	}

	public function ucpGroupSaved($id, $display): void {
		$this->saveUcp($display, 'group', fn ($answer) => $this->FreePBX->Ucp->setSettingByGID($id, 'Callsieve', 'enable', $answer));
	}

	private function saveUcp($display, string $type, callable $save): void {
		$answer = $_POST['callsieve_ucp'] ?? null;
		if ($display === 'userman' && ($_POST['type'] ?? '') === $type && in_array($answer, ['yes', 'no', 'inherit'], true)) {
			$save($answer === 'inherit' ? null : $answer);
		}
	}

	/** Whoever may open our page sees whom people have listed; others who edit extensions do not. */
	private static function maySeeNumbers(): bool {
		$user = $_SESSION['AMP_user'] ?? null;
		return is_object($user) && method_exists($user, 'checkSection') && $user->checkSection('callsieve');
	}

	/** The notification of FreePBX's dashboard, until a reload goes well. Where FreePBX cannot keep one, the reload goes on. */
	private function notify(string $trouble): void {
		try {
			if ($trouble === '') {
				$this->FreePBX->Notifications->delete('callsieve', 'DIALPLAN');
			} else {
				$this->FreePBX->Notifications->add_error('callsieve', 'DIALPLAN', _('CallSieve: calls are not screened'), htmlspecialchars($trouble));
			}
		} catch (\Throwable) {
			return;
		}
	}
}
