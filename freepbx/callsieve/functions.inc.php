<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// What FreePBX still looks for by the name of a function: destinations, and a field in the form of inbound routes.

use FreePBX\modules\Callsieve\Dialplan;

if (!defined('FREEPBX_IS_AUTH')) {
	die('No direct script access allowed');
}

function callsieve_destinations() {
	$all = [];
	foreach (callsieve_destination_names() as $destination => $name) {
		$all[] = ['destination' => $destination, 'description' => $name, 'category' => 'CallSieve'];
	}
	return $all;
}

function callsieve_getdest($name) {
	return [Dialplan::CONTEXT . ",$name,1"];
}

function callsieve_getdestinfo($destination) {
	$names = callsieve_destination_names();
	if (isset($names[$destination])) {
		return ['description' => $names[$destination], 'edit_url' => ''];
	}
	return str_starts_with((string) $destination, Dialplan::CONTEXT . ',') ? [] : false;
}

function callsieve_destination_names() {
	\FreePBX::Callsieve();
	return [
		Dialplan::CONTEXT . ',reject,1' => _('CallSieve: reject'),
	];
}

function callsieve_hook_core($item, $page) {
	if ($page !== 'did') {
		return '';
	}
	return \FreePBX::Callsieve()->routeQuestion((string) $item);
}

function callsieve_hookProcess_core($item, $request) {
	\FreePBX::Callsieve()->routeSaved($request);
}

/** The tab CallSieve of an extension: shown where CallSieve knows the extension, and saved with FreePBX's own button. */
function callsieve_configpageinit($page) {
	global $currentcomponent;
	if (in_array($page, ['extensions', 'users'], true) && callsieve_extension() !== '') {
		$currentcomponent->addguifunc('callsieve_configpageload');
		$currentcomponent->addprocessfunc('callsieve_configprocess', 8);
	}
}

function callsieve_configpageload() {
	global $currentcomponent;
	$html = \FreePBX::Callsieve()->extensionTab(callsieve_extension());
	if ($html !== '') {
		$element = new class ('callsieve_tab', $html) extends \guielement {
			protected $type = 'html';
		};
		// FreePBX names a tab by its category in small letters.
		$currentcomponent->addTabTranslation('callsieve', 'CallSieve');
		$currentcomponent->addguielem(_('Calls for this extension'), $element, 5, null, 'callsieve');
	}
}

function callsieve_configprocess() {
	if (($_REQUEST['action'] ?? '') === 'edit') {
		\FreePBX::Callsieve()->extensionSaved(callsieve_extension(), $_POST);
	}
}

function callsieve_extension() {
	$extension = $_REQUEST['extdisplay'] ?? '';
	return is_string($extension) ? trim($extension) : '';
}
