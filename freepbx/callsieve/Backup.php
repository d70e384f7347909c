<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

use FreePBX\modules\Backup\BackupBase;

/**
 * What the module keeps, and CallSieve's settings, policies and the latest checked copy of its store.
 *
 * These are for Asterisk's group to read, which FreePBX's scheduled backups run in; `fwconsole backup` of root does not.
 */
class Backup extends BackupBase {
	public const FILES = [
		'/etc/callsieve/callsieve.toml',
		'/etc/callsieve/policies/*.toml',
		'/var/lib/callsieve/policies/*.toml',
	];
	public const STORES = '/var/lib/callsieve/backups/callsieve-*.db';

	public function runBackup($id, $transaction) {
		$this->addDependency('core');
		$this->addConfigs(['kvstore' => $this->dumpKVStore(), 'features' => $this->dumpFeatureCodes()]);
		foreach (self::found() as $path) {
			if (is_readable($path)) {
				$this->addFile(basename($path), dirname($path), '', 'callsieve');
			} else {
				$this->log(sprintf(_('CallSieve: %s is not for us to read, and is left out'), $path), 'WARNING');
			}
		}
	}

	/** @return string[] */
	private static function found(): array {
		$stores = glob(self::STORES) ?: []; // their names are times
		$files = array_merge(...array_map(fn ($pattern) => glob($pattern) ?: [], self::FILES));
		return [...$files, ...array_slice($stores, -1)];
	}
}
