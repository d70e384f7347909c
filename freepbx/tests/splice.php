<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// A dialplan on standard input, as FreePBX would have generated it; on standard output the same with the module's part.
// Arguments: routes that are not screened ("DID/caller").

require __DIR__ . '/stubs.php';
require __DIR__ . '/../callsieve/Dialplan.php';

use FreePBX\modules\Callsieve\Dialplan;

$ext = extensions::read(stream_get_contents(STDIN));
Dialplan::add($ext, array_slice($argv, 1), ['spam' => '*37', 'explain' => '*36', 'quiet' => '*725']);
echo $ext->generateConf();
