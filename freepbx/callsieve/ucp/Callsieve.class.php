<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace UCP\Modules;

use FreePBX\modules\Callsieve\Phone;

/** The widget of FreePBX's User Control Panel: a person's calls, lists and settings, for their own extension alone. */
class Callsieve extends \UCP\Modules {
	protected $module = 'Callsieve';
	private array $user;

	public function __construct($Modules) {
		$this->Modules = $Modules;
		$this->user = $this->UCP->User->getUser() ?: [];
	}

	/** What can be added to a dashboard: nothing for users without an extension, or whom User Management does not allow it. */
	public function getWidgetList() {
		$extension = $this->ownExtension();
		if ($extension === '') {
			return [];
		}
		$widget = [
			'display' => $extension,
			'description' => _('My calls, my lists, quiet hours and spoken warnings'),
			'hasSettings' => false,
			'defaultsize' => ['height' => 10, 'width' => 6],
			'minsize' => ['height' => 4, 'width' => 3],
		];
		return ['rawname' => 'callsieve', 'display' => 'CallSieve', 'icon' => 'fa fa-shield', 'list' => [$extension => $widget]];
	}

	public function getWidgetDisplay($id) {
		return $this->isOwn($id) ? ['title' => 'CallSieve', 'html' => $this->html()] : [];
	}

	/** UCP asks this first. A page of another site can send a form with the user's cookie, but not this header. */
	public function ajaxRequest($command, $settings) {
		return $command === 'change' && ($_SERVER['HTTP_X_REQUESTED_WITH'] ?? '') === 'XMLHttpRequest' && $this->isOwn($_POST['ext'] ?? '');
	}

	/** @return array{status: bool, message: string, html: string} the widget as it is now */
	public function ajaxHandler() {
		$refused = $this->phone()->change($_POST);
		return ['status' => $refused === '', 'message' => $refused, 'html' => $this->html()];
	}

	/** In Chinese where UCP is: it does not choose the texts of a module before it asks for its widget. */
	private function html(): string {
		$this->UCP->Modgettext->push_textdomain('callsieve');
		$html = $this->phone()->html();
		$this->UCP->Modgettext->pop_textdomain();
		return $html;
	}

	private function phone(): Phone {
		return $this->UCP->FreePBX->Callsieve->ownPhone((string) ($this->user['username'] ?? ''), $this->ownExtension());
	}

	private function isOwn($extension): bool {
		return is_scalar($extension) && (string) $extension !== '' && (string) $extension === $this->ownExtension();
	}

	/** The user's own extension, '' where there is none, or User Management does not let them use it in UCP. */
	private function ownExtension(): string {
		$extension = (string) ($this->user['default_extension'] ?? 'none');
		$id = $this->user['id'] ?? false;
		if ($extension === 'none' || $id === false || $this->UCP->getCombinedSettingByID($id, 'Callsieve', 'enable') === 'no') {
			return '';
		}
		$assigned = $this->UCP->getCombinedSettingByID($id, 'Settings', 'assigned');
		return in_array($extension, array_map('strval', is_array($assigned) ? $assigned : []), true) ? $extension : '';
	}
}
