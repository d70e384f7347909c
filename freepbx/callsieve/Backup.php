<?php
// SPDX-License-Identifier: GPL-3.0-or-later

namespace FreePBX\modules\Callsieve;

use FreePBX\modules\Backup\BackupBase;

class Backup extends BackupBase {
	public function runBackup($id, $transaction) {
		$this->addDependency('core');
		$this->addConfigs(['kvstore' => $this->dumpKVStore(), 'features' => $this->dumpFeatureCodes()]);
	}
}
