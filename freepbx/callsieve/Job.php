<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** What FreePBX runs every five minutes. */
class Job implements \FreePBX\Job\TaskInterface {
	public static function run(InputInterface $input, OutputInterface $output) {
		\FreePBX::Callsieve()->watch();
		return true;
	}
}
