<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */

use FreePBX\modules\Callsieve\Phone;

$lists = ['allow' => _('Always ring me'), 'block' => _('Never ring me')];
?>
<style>
	.callsieve-own { padding: .5em; text-align: left; overflow-wrap: anywhere; }
	.callsieve-own form { display: inline-block; margin: 0; }
	.callsieve-own ul { list-style: none; margin: 0; padding: 0; }
	.callsieve-own li { border-bottom: 1px solid #ddd; padding: .4em 0; }
	.callsieve-own .btn { margin: .1em 0; }
	.callsieve-own h4 { margin: 1em 0 .3em; }
</style>
<div class="callsieve-own" data-failed="<?php echo $e(_('Nothing was changed: please try again.')) ?>">
<?php if ($settings === null) { ?>
	<div class="alert alert-warning"><?php echo $e(_('CallSieve does not answer, or does not know this extension yet.')) ?></div>
<?php } else { ?>
	<ul class="callsieve-settings">
		<?php foreach (Phone::questions() as $field => [$title, $help]) { $name = Phone::SETTINGS[$field]; $on = $settings[$name]; ?>
			<li>
				<form method="post">
					<input type="hidden" name="do" value="set"><input type="hidden" name="setting" value="<?php echo $e($name) ?>">
					<button class="btn btn-sm <?php echo $on ? 'btn-primary' : 'btn-default' ?>" name="on" value="<?php echo $on ? 'no' : 'yes' ?>" aria-pressed="<?php echo $on ? 'true' : 'false' ?>"><?php echo $e("$title: " . ($on ? _('on') : _('off'))) ?></button>
				</form>
				<small><?php echo $e($help) ?></small>
			</li>
		<?php } ?>
	</ul>
	<h4><?php echo $e(_('My calls')) ?></h4>
	<?php if (!$calls) { ?><p><?php echo $e(_('No call yet.')) ?></p><?php } ?>
	<ul class="callsieve-calls">
		<?php foreach ($calls as $row) { ?>
			<li>
				<strong><?php echo $e($row['caller']) ?></strong> <small><?php echo $e($row['at']) ?></small>
				<div><?php echo $e(implode(' · ', array_filter([$row['action'], $row['ended'], $row['reason']]))) ?></div>
				<?php if ($row['number'] !== '') { ?>
					<form method="post">
						<input type="hidden" name="number" value="<?php echo $e($row['number']) ?>">
						<button class="btn btn-default btn-sm" name="do" value="block"><?php echo $e(_('Never ring me')) ?></button>
						<button class="btn btn-default btn-sm" name="do" value="allow"><?php echo $e(_('Always ring me')) ?></button>
						<button class="btn btn-default btn-sm" name="do" value="notSpam"><?php echo $e(_('Not spam')) ?></button>
					</form>
				<?php } ?>
			</li>
		<?php } ?>
	</ul>
	<h4><?php echo $e(_('My lists')) ?></h4>
	<form method="post">
		<input class="form-control" name="number" required maxlength="64" placeholder="+12015550123" aria-label="<?php echo $e(_('Number')) ?>">
		<?php foreach ($lists as $list => $title) { ?><button class="btn btn-default btn-sm" name="do" value="<?php echo $e($list) ?>"><?php echo $e($title) ?></button> <?php } ?>
	</form>
	<?php foreach ($lists as $list => $title) { ?>
		<?php if ($numbers[$list]) { ?><p><strong><?php echo $e($title) ?></strong></p><?php } ?>
		<ul class="callsieve-<?php echo $e($list) ?>">
			<?php foreach ($numbers[$list] as $number) { ?>
				<li><?php echo $e($number) ?>
					<form method="post"><input type="hidden" name="number" value="<?php echo $e($number) ?>"><button class="btn btn-default btn-sm" name="do" value="remove" aria-label="<?php echo $e(_('Remove') . " $number") ?>"><?php echo $e(_('Remove')) ?></button></form></li>
			<?php } ?>
		</ul>
	<?php } ?>
<?php } ?>
</div>
