<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */

use FreePBX\modules\Callsieve\Phone;

$titles = ['callsieve_allow' => _('Always ring me'), 'callsieve_block' => _('Never ring me')];
?>
<?php foreach (Phone::questions() as $field => [$title, $help]) { $on = $settings[Phone::SETTINGS[$field]]; ?>
	<div class="element-container"><div class="row"><div class="form-group">
		<div class="col-md-3"><label class="control-label" title="<?php echo $e($help) ?>"><?php echo $e($title) ?></label></div>
		<div class="col-md-9 radioset">
			<?php foreach (['yes' => _('Yes'), 'no' => _('No')] as $value => $name) { ?>
				<input type="radio" name="<?php echo $e($field) ?>" id="<?php echo $e($field . $value) ?>" value="<?php echo $e($value) ?>"<?php echo ($value === 'yes') === $on ? ' checked' : '' ?>><label for="<?php echo $e($field . $value) ?>"><?php echo $e($name) ?></label>
			<?php } ?>
		</div>
		<div class="col-md-9 col-md-offset-3"><small><?php echo $e($help) ?></small></div>
	</div></div></div>
<?php } ?>
<?php foreach ($numbers === null ? [] : $titles as $field => $title) { ?>
	<div class="element-container"><div class="row"><div class="form-group">
		<div class="col-md-3"><label class="control-label" for="<?php echo $e($field) ?>"><?php echo $e($title) ?></label></div>
		<div class="col-md-9"><textarea class="form-control" rows="4" name="<?php echo $e($field) ?>" id="<?php echo $e($field) ?>" placeholder="+12015550123"><?php echo $e(implode("\n", $numbers[Phone::NUMBERS[$field]])) ?></textarea></div>
	</div></div></div>
<?php } ?>
