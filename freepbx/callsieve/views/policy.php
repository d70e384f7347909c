<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */

use FreePBX\modules\Callsieve\Page;
use FreePBX\modules\Callsieve\Words;

$current = is_array($status['policy'] ?? null) ? Page::text($status['policy'], 'name') : '';
?>
	<div class="callsieve-cards" id="callsieve-policies">
		<?php foreach (Words::policies() as $name => $about) { $figures = $forecast['policies'][$name] ?? null; ?>
			<div>
				<h3><?php echo $e($name) ?></h3>
				<p><?php echo $e($about) ?></p>
				<?php if ($name !== 'observe') { ?>
					<p><?php echo $e(is_array($figures)
						? sprintf(_('Would have stopped %d of the %d calls of the last month; %d of the stopped calls were probably wanted.'), (int) ($figures['stopped'] ?? 0), (int) ($figures['calls'] ?? 0), (int) ($figures['wrong'] ?? 0))
						: _('Not counted yet.')) ?></p>
				<?php } ?>
				<?php if ($name === $current) { ?>
					<strong><?php echo $e(_('Active')) ?></strong>
				<?php } else { ?>
					<form method="post">
						<input type="hidden" name="token" value="<?php echo $e($token) ?>">
						<input type="hidden" name="policy" value="<?php echo $e($name) ?>">
						<button class="btn btn-primary" name="do" value="activate"><?php echo $e(_('Activate')) ?></button>
					</form>
				<?php } ?>
			</div>
		<?php } ?>
	</div>
	<p><?php echo $e($forecast['at'] > 0 ? sprintf(_('Counted %s.'), date('Y-m-d H:i', (int) $forecast['at'])) : '') ?>
		<?php echo $e(_('Stopped: asked for a digit, sent to voicemail or rejected. Probably wanted: somebody here knew the caller later, or talked with them.')) ?></p>
	<form method="post"><input type="hidden" name="token" value="<?php echo $e($token) ?>"><button class="btn btn-default" name="do" value="forecast"><?php echo $e(_('Count the calls now')) ?></button></form>
	<form method="post" class="form-inline">
		<input type="hidden" name="token" value="<?php echo $e($token) ?>">
		<label for="callsieve-address"><?php echo $e(_('Address of CallSieve\'s console')) ?></label>
		<input class="form-control" id="callsieve-address" name="address" placeholder="https://pbx.example.org:8480/">
		<button class="btn btn-default" name="do" value="console"><?php echo $e(_('Save')) ?></button>
	</form>
</div>
