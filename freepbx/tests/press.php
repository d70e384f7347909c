<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// Presses buttons of the page, as a user of FreePBX. Arguments: the API's socket, and what forms send, as a list in JSON.
// Prints what the page says after each, and the page at last, as JSON.

require __DIR__ . '/stubs.php';
require __DIR__ . '/../callsieve/Callsieve.class.php';

use FreePBX\modules\Callsieve;
use FreePBX\modules\Callsieve\Page;
use FreePBX\modules\Callsieve\Program;

[, $socket, $forms] = $argv;
$_SESSION = ['AMP_user' => (object) ['username' => 'joe'], 'callsieve_token' => 'secret'];
$module = new Callsieve(freepbx(sys_get_temp_dir()));
$module->socket = $socket;
$module->program = new Program(['/bin/true']);
$page = new Page($module);
$notes = [];
foreach (json_decode($forms, true) as $form) {
	if (($form['do'] ?? '') === 'undo') {
		$form['changes'] = implode(' ', end($notes)['undo']);
	}
	$page->submitted('POST', $form + ['token' => 'secret'], $_SESSION);
	$notes[] = $_SESSION['callsieve_note'];
}
echo json_encode(['notes' => $notes, 'html' => $page->html($_SESSION), 'csv' => $page->csv('block')]);
