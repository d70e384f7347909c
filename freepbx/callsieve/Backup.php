<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

use FreePBX\modules\Backup\BackupBase;

/**
 * What the module keeps, and CallSieve's settings without their secrets, policies and the latest checked copy of its store.
 *
 * These are for Asterisk's group to read, which FreePBX's scheduled backups run in; `fwconsole backup` of root does not.
 */
class Backup extends BackupBase {
	public const SETTINGS = '/etc/callsieve/callsieve.toml';
	public const FILES = [
		'/etc/callsieve/policies/*.toml',
		'/var/lib/callsieve/policies/*.toml',
	];
	public const STORES = '/var/lib/callsieve/backups/callsieve-*.db';

	public function runBackup($id, $transaction) {
		$this->addDependency('core');
		$settings = is_readable(self::SETTINGS) ? self::withoutSecrets((string) file_get_contents(self::SETTINGS)) : '';
		$this->addConfigs(['kvstore' => $this->dumpKVStore(), 'features' => $this->dumpFeatureCodes(), 'settings' => $settings]);
		foreach (self::found() as $path) {
			if (is_readable($path)) {
				$this->addFile(basename($path), dirname($path), '', 'callsieve');
			} else {
				$this->log(sprintf(_('CallSieve: FreePBX may not read %s, so the backup leaves it out'), $path), 'WARNING');
			}
		}
	}

	/** FreePBX makes its archives readable for everybody on the machine. A secret that is somewhere else is only named. */
	public static function withoutSecrets(string $settings): string {
		$secret = '/^(\s*)((?:secret|password|token|key)\s*=)\s*(?!["\'](?:file|env):)("""|\'\'\'|["\']).*?(?<!\\\\)\3.*?$/ms';
		return preg_replace($secret, '$1# $2 (a secret: not in the backup)', $settings) ?? '';
	}

	/** @return string[] */
	private static function found(): array {
		$stores = glob(self::STORES) ?: []; // their names are times
		$files = array_merge(...array_map(fn ($pattern) => glob($pattern) ?: [], self::FILES));
		return [...$files, ...array_slice($stores, -1)];
	}
}
