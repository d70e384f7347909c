<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

use FreePBX\modules\Backup\RestoreBase;

class Restore extends RestoreBase {
	public function runRestore() {
		$configs = $this->getConfigs();
		$this->importKVStore($configs['kvstore'] ?? []);
		$this->importFeatureCodes($configs['features'] ?? []);
	}

	/** There was no module for FreePBX's older backups. */
	public function processLegacy($pdo, $data, $tables, $unknownTables) {
	}
}
