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
