<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules;

require_once __DIR__ . '/Codes.php';
require_once __DIR__ . '/Dialplan.php';
require_once __DIR__ . '/Page.php';
require_once __DIR__ . '/Program.php';

use FreePBX\modules\Callsieve\Codes;
use FreePBX\modules\Callsieve\Dialplan;
use FreePBX\modules\Callsieve\Page;
use FreePBX\modules\Callsieve\Program;

/** What FreePBX calls. What is decided about a call is decided by CallSieve's daemon: nothing here is on a call's way. */
class Callsieve extends \FreePBX_Helpers implements \BMO {
	/** Settings of ours: routes that are not screened, "DID/caller" => "no". A route that is not here is screened. */
	public const ROUTES = 'routes';
	/** After all other modules: blacklist and name lookups are at 500 to 600. */
	private const PRIORITY = 950;

	public Program $program;
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
	}

	public function uninstall() {
		Codes::remove();
		$this->deleteAll();
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
		if ($page === 'callsieve') {
			(new Page($this))->submitted($_SERVER['REQUEST_METHOD'] ?? '', $_POST, $_SESSION);
		}
	}

	public function showPage(): string {
		return $this->showPageWith($_SESSION);
	}

	public function showPageWith(array &$session): string {
		return (new Page($this))->html($session);
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
