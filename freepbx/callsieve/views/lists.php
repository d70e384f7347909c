<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */

use FreePBX\modules\Callsieve\Page;
use FreePBX\modules\Callsieve\Words;

$names = ['block' => _('Blocked numbers'), 'allow' => _('Numbers that always ring')];
$ends = ['' => _('until it is removed'), '7d' => _('for 7 days'), '30d' => _('for 30 days'), '365d' => _('for a year')];
?>
	<p>
		<?php foreach ($names as $name => $title) { ?><a class="btn btn-<?php echo $name === $list ? 'primary' : 'default' ?>" href="?display=callsieve&amp;view=lists&amp;list=<?php echo $e($name) ?>"><?php echo $e($title) ?></a> <?php } ?>
		<a class="btn btn-default" href="?display=callsieve&amp;csv=<?php echo $e($list) ?>"><?php echo $e(_('Export as CSV')) ?></a>
	</p>
	<form method="post" class="form-inline">
		<input type="hidden" name="token" value="<?php echo $e($token) ?>">
		<input type="hidden" name="list" value="<?php echo $e($list) ?>">
		<input class="form-control" name="entry" required placeholder="+12015550123, +1900*" aria-label="<?php echo $e(_('Number, or the first digits of numbers')) ?>">
		<input class="form-control" name="note" maxlength="200" placeholder="<?php echo $e(_('Note')) ?>" aria-label="<?php echo $e(_('Note')) ?>">
		<select class="form-control" name="expires" aria-label="<?php echo $e(_('For how long')) ?>"><?php foreach ($ends as $value => $name) { ?><option value="<?php echo $e($value) ?>"><?php echo $e($name) ?></option><?php } ?></select>
		<button class="btn btn-primary" name="do" value="add"><?php echo $e(_('Add')) ?></button>
	</form>
	<?php if ($trouble !== '') { ?><div class="alert alert-danger" id="callsieve-unread"><?php echo $e($trouble) ?></div><?php } ?>
	<table class="table table-striped" id="callsieve-entries">
		<thead><tr><th><?php echo $e(_('Number')) ?></th><th><?php echo $e(_('Note')) ?></th><th><?php echo $e(_('Added')) ?></th><th><?php echo $e(_('Until')) ?></th><th></th></tr></thead>
		<tbody>
			<?php foreach ($entries as $entry) { ?>
				<tr>
					<td data-label="<?php echo $e(_('Number')) ?>"><?php echo $e(Page::text($entry, 'text')) ?></td>
					<td data-label="<?php echo $e(_('Note')) ?>"><?php echo $e(Page::text($entry, 'note')) ?></td>
					<td data-label="<?php echo $e(_('Added')) ?>"><?php echo $e(Words::time($entry['added_at'] ?? null)) ?></td>
					<td data-label="<?php echo $e(_('Until')) ?>"><?php echo $e(Words::time($entry['expires_at'] ?? null)) ?></td>
					<td><form method="post">
						<input type="hidden" name="token" value="<?php echo $e($token) ?>">
						<input type="hidden" name="list" value="<?php echo $e($list) ?>">
						<input type="hidden" name="entry" value="<?php echo $e(Page::text($entry, 'text')) ?>">
						<button class="btn btn-default btn-sm" name="do" value="remove"><?php echo $e(_('Remove')) ?></button>
					</form></td>
				</tr>
			<?php } ?>
		</tbody>
	</table>
	<details>
		<summary><?php echo $e(_('Import')) ?></summary>
		<form method="post">
			<input type="hidden" name="token" value="<?php echo $e($token) ?>">
			<input type="hidden" name="list" value="<?php echo $e($list) ?>">
			<p><?php echo $e(_('One entry per line: number, comma, note. Files that the module Blacklist or this page exported are accepted.')) ?></p>
			<textarea class="form-control" name="lines" rows="6" cols="40" aria-label="<?php echo $e(_('Lines to import')) ?>"></textarea>
			<button class="btn btn-default" name="do" value="import"><?php echo $e(_('Import')) ?></button>
		</form>
	</details>
</div>
