# Whose a lab is (docker provider), and whether another folder may have its name.
# lab/machines/ownership.py has the same rules for the tasks.
require 'time'

module Ownership
  # A container of the lab's name. running: also a paused one; known: to this folder's Vagrant.
  Node = Struct.new(:id, :folder, :running, :known, keyword_init: true)

  module_function

  # :own; :lost, this folder's, which its Vagrant has forgotten; :another's, whose folder is there;
  # :gone, of a folder that is not there and was not renamed to be this one.
  def whose(node, here)
    return node.known ? :own : :lost if same?(node.folder, here)
    return :another if there?(node.folder)

    node.known ? :own : :gone
  end

  # A second work tree may have the .vagrant of the first.
  def same?(folder, here)
    File.identical?(folder, here) || File.identical?(File.join(folder, '.vagrant'), File.join(here, '.vagrant'))
  end

  # A folder that may not be looked into is there. Where one was removed, Docker may leave a folder
  # of that name behind when it looks for the login key.
  def there?(folder)
    File.stat(File.join(folder, 'Vagrantfile'))
    true
  rescue Errno::ENOENT, Errno::ENOTDIR
    false
  rescue SystemCallError
    true
  end

  # Why the lab of these nodes, none of which is this folder's own, is not replaced unasked; nil if
  # it may be. since: when it was started, or stopped.
  def refusal(name, nodes, here, since)
    kinds = nodes.map { |node| whose(node, here) }
    running = nodes.any?(&:running)
    return if kinds.uniq == [:gone] && !running

    node = nodes.find { |one| whose(one, here) == :another } || nodes.first
    "the lab '#{name}' #{belongs(whose(node, here), node)}, and #{running ? 'runs' : 'is halted'} since #{since}: " \
      "#{ways_on(whose(node, here), node)}, or have it replaced, its data too: `LAB_REPLACE=yes make up`"
  end

  def belongs(kind, node)
    case kind
    when :another then "belongs to #{node.folder}"
    when :gone then "belongs to #{node.folder}, which is not there (renamed, or not mounted?)"
    when :lost then "belongs to this folder, whose .vagrant does not know it any more"
    end
  end

  def ways_on(kind, node)
    another = 'boot another one with LAB_NAME=two LAB_SUBNET=192.168.57.0/24'
    # Its machines would be taken for those of a lab of another name.
    another = "remove .lab and .vagrant here, which are copies, and #{another}" if node.known
    case kind
    when :another then "#{another}, remove that one by `make destroy` in its folder"
    when :gone then "#{another}, bring that folder back"
    when :lost then "#{another} in another clone, remove it by `make destroy`"
    end
  end
end
