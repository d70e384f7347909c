<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

require_once __DIR__ . '/Backup.php';

use FreePBX\modules\Backup\RestoreBase;

/** FreePBX restores as Asterisk's user, who may not write CallSieve's files: they are laid down for root, who is told. */
class Restore extends RestoreBase {
	/** The folders that a backup of ours names: it is a file from elsewhere. */
	private const OURS = '~^/(etc|var/lib)/callsieve(/[a-z]+)?$~D';

	public function runRestore() {
		$configs = $this->getConfigs();
		$this->importKVStore($configs['kvstore'] ?? []);
		$this->importFeatureCodes($configs['features'] ?? []);
		$folder = $this->FreePBX->Config->get('ASTSPOOLDIR') . '/callsieve-restored';
		if (is_string($configs['settings'] ?? null) && $configs['settings'] !== '') {
			$this->lay($folder . Backup::SETTINGS, fn ($target) => file_put_contents($target, $configs['settings']) !== false);
		}
		foreach ($this->getFiles() as $file) {
			$target = "$folder{$file->getPathTo()}/{$file->getFilename()}";
			if (!preg_match(self::OURS, $file->getPathTo()) || basename($file->getFilename()) !== $file->getFilename()) {
				continue;
			}
			$this->lay($target, fn ($target) => copy($file->getPathname(), $target));
		}
	}

	/** @param callable(string): bool $write */
	private function lay(string $target, callable $write): void {
		if ((is_dir(dirname($target)) || mkdir(dirname($target), 0750, true)) && $write($target)) {
			chmod($target, 0640);
			$this->log(sprintf(_('CallSieve: %s was restored to %s; as root, copy it to its original place'), basename($target), dirname($target)));
		}
	}

	/** There was no module for FreePBX's older backups. */
	public function processLegacy($pdo, $data, $tables, $unknownTables) {
	}
}
