<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\Console\Command;

use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/** `fwconsole callsieve status|off|on|sync|forecast`: what `callsieve` says, with its exit code. */
class Callsieve extends Command {
	protected function configure(): void {
		$this->setName('callsieve')
			->setDescription(_('Show whether calls are screened, and switch screening on or off'))
			->addArgument('what', InputArgument::OPTIONAL, 'status, off, on, sync, forecast', 'status')
			->addOption('for', null, InputOption::VALUE_REQUIRED, _('With off: duration, such as 30m or 2h'));
	}

	protected function execute(InputInterface $input, OutputInterface $output): int {
		$what = (string) $input->getArgument('what');
		$module = \FreePBX::Callsieve();
		if ($what === 'sync') {
			return $module->synchronise() ? 0 : 1;
		}
		if ($what === 'forecast') {
			return $module->forecast() ? 0 : 1;
		}
		if (!in_array($what, ['status', 'off', 'on'], true)) {
			$output->writeln('status, off, on, sync or forecast');
			return 2;
		}
		$for = $input->getOption('for');
		$done = $module->program->run($what, ...($what === 'off' && $for !== null ? ['--for', (string) $for] : []));
		$output->write($done['output'] . ($done['error'] === '' ? '' : rtrim($done['error']) . "\n"), false, OutputInterface::OUTPUT_RAW);
		return $done['code'] ?? 1;
	}
}
